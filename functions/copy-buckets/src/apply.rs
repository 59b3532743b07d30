//! Carries out one step.

use aws::Error;
use rules::keys;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::plan::{Begin, Marker, Place, State, Step};
use crate::s3::{Copying, Objects};
use crate::{Clients, drill, restore, s3};

/// Carries out `step`; returns what only the doing could tell.
pub async fn apply(clients: &Clients, step: &Step, account: &str, until: Instant) -> Result<Value, Error> {
    match step {
        Step::Begin(it) => {
            // The marker first: the objects of the job must never lie in a folder that does not say whose it is.
            s3::mark(&clients.s3, &it.folder, &it.marker).await?;
            let job = s3::create_job(&clients.s3, account, &copying(it)).await.map_err(Error::told_if_denied)?;
            let marker = Marker { state: State::Copying, job: Some(job.clone()), ..it.marker.clone() };
            s3::mark(&clients.s3, &it.folder, &marker).await?;
            Ok(json!({"job": job}))
        }
        Step::Record(it) => s3::mark(&clients.s3, &it.folder, &it.marker).await.map(|()| json!({})),
        Step::Delete(it) => {
            if it.marker.state != State::Deleting {
                s3::mark(&clients.s3, &it.folder, &Marker { state: State::Deleting, ..it.marker.clone() }).await?;
            }
            delete(clients, &it.folder, until).await.map(|()| json!({}))
        }
        Step::Restore(it) => restore::restore(clients, it, account, until).await,
        Step::RecordRestore(it) => s3::mark(&clients.s3, &it.folder, &it.marker).await.map(|()| json!({})),
        Step::ForgetRestore(it) => {
            s3::remember(&clients.s3, account, &it.arn, keys::BUCKET_RESTORE, None).await.map(|()| json!({}))
        }
        Step::TakeSample(it) => drill::take_sample(clients, it, until).await,
        Step::FinishDrill(it) => {
            // The marker last: until then the next run compares once more.
            let drilled = it.drilled.to_string();
            s3::remember(&clients.s3, account, &it.arn, keys::DRILLED, Some(&drilled)).await?;
            if let Some(marker) = &it.marker {
                s3::mark(&clients.s3, &it.folder, marker).await?;
            }
            Ok(json!({}))
        }
    }
}

fn copying(begin: &Begin) -> Copying<'_> {
    let Begin { folder, class, role, token, marker } = begin;
    Copying {
        source: &marker.source,
        folder,
        class: *class,
        role,
        token: token.clone(),
        about: format!("copy of {} of {}", marker.source, folder.name),
        objects: Objects::Prefix(&marker.prefix),
    }
}

/// Deletes everything in the folder, page by page, the marker last; what does not fit is left for a later run.
async fn delete(clients: &Clients, folder: &Place, until: Instant) -> Result<(), Error> {
    let (bucket, marker) = (s3::bucket(folder), s3::marker_key(folder));
    loop {
        if Instant::now() >= until {
            return Err(Error::not_now());
        }
        let mut keys = s3::first_keys(&clients.s3, &bucket, &folder.key()).await?;
        keys.retain(|it| *it != marker);
        if keys.is_empty() {
            return s3::delete(&clients.s3, &bucket, &[marker]).await;
        }
        s3::delete(&clients.s3, &bucket, &keys).await?;
    }
}
