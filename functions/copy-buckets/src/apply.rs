//! Carries out one step.

use aws::Error;
use aws::rest::Bucket;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::plan::{Marker, NAME, Place, State, Step};
use crate::{Clients, s3};

/// Carries out `step`; returns what only the doing could tell.
pub async fn apply(clients: &Clients, step: &Step, account: &str, until: Instant) -> Result<Value, Error> {
    match step {
        Step::Begin(it) => {
            // The marker first: the objects of the job must never lie in a folder that does not say whose it is.
            mark(clients, &it.folder, &it.marker).await?;
            let job = s3::create_job(&clients.s3, account, it).await.map_err(Error::told_if_denied)?;
            let marker = Marker { state: State::Copying, job: Some(job.clone()), ..it.marker.clone() };
            mark(clients, &it.folder, &marker).await?;
            Ok(json!({"job": job}))
        }
        Step::Record(it) => mark(clients, &it.folder, &it.marker).await.map(|()| json!({})),
        Step::Delete(it) => {
            if it.marker.state != State::Deleting {
                mark(clients, &it.folder, &Marker { state: State::Deleting, ..it.marker.clone() }).await?;
            }
            delete(clients, &it.folder, until).await.map(|()| json!({}))
        }
    }
}

async fn mark(clients: &Clients, folder: &Place, marker: &Marker) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(marker).unwrap_or_default();
    s3::put(&clients.s3, &bucket(folder), &marker_key(folder), text).await
}

/// Deletes everything in the folder, page by page, the marker last; what does not fit is left for a later run.
async fn delete(clients: &Clients, folder: &Place, until: Instant) -> Result<(), Error> {
    let (bucket, marker) = (bucket(folder), marker_key(folder));
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

fn bucket(folder: &Place) -> Bucket {
    Bucket { region: folder.region.clone(), name: folder.to.bucket.clone() }
}

fn marker_key(folder: &Place) -> String {
    format!("{}{NAME}", folder.key())
}
