//! Chooses the objects that a drill compares, and reads them on both sides.

use aws::rest::Bucket;
use aws::{Error, each};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::plan::{Chosen, Compared, Drilling, Marker, Place, SAMPLE, START, Sample, Sampler, Side, TakeSample};
use crate::s3::object::{self, Start};
use crate::{Clients, s3};

/// How many objects are read at a time: of each, both beginnings are in memory, and the function has 256 MB.
const AT_A_TIME: usize = 4;

/// Goes through all versions of the bucket; what does not fit into one run goes on in the next one.
pub async fn take_sample(clients: &Clients, step: &TakeSample, until: Instant) -> Result<Value, Error> {
    let TakeSample { folder, marker, size, now, .. } = step;
    // The marker first: without it the file would never be looked for.
    s3::mark(&clients.s3, folder, marker).await?;
    let source = source(clients, marker);
    let sampler = Sampler::new(marker, *size, *now);
    let mut sample = step.sample.clone();
    while !sample.is_whole {
        if Instant::now() >= until {
            save_sample(clients, folder, &sample).await?;
            return Err(Error::not_now());
        }
        let page = s3::versions::versions(&clients.s3, &source, &marker.prefix, sample.after.as_ref()).await?;
        page.versions.iter().for_each(|it| sampler.add(&mut sample, it));
        sample.is_whole = page.next.is_none();
        sample.after = page.next;
    }
    save_sample(clients, folder, &sample).await?;
    Ok(json!({"objects": sample.objects, "chosen": sample.chosen.len()}))
}

async fn save_sample(clients: &Clients, folder: &Place, sample: &Sample) -> Result<(), Error> {
    let text = serde_json::to_string(sample).unwrap_or_default();
    s3::put(&clients.s3, &s3::bucket(folder), &key(folder), text).await
}

/// How far the drill of a copy has come; once all objects are chosen, they are read.
pub async fn drilling(clients: &Clients, folder: &Place, marker: &Marker) -> Result<Drilling, Error> {
    let text = s3::read(&clients.s3, &s3::bucket(folder), &key(folder)).await?;
    // Without the file the run that was to write it has died.
    let sample = text.and_then(|it| Sample::read(&it)).unwrap_or_default();
    if !sample.is_whole {
        return Ok(Drilling::Listing(sample));
    }
    let (source, target) = (source(clients, marker), s3::bucket(folder));
    let compared = each(sample.chosen.clone(), AT_A_TIME, async |chosen: Chosen| {
        let copied = format!("{}{}", folder.key(), chosen.key);
        let (copy, original) = tokio::try_join!(
            object::start(&clients.s3, &target, &copied, None, START),
            object::start(&clients.s3, &source, &chosen.key, chosen.version.as_deref(), START)
        )?;
        let same_start = match (&copy, &original) {
            (Start::Read(_, copy), Start::Read(_, source)) => Some(copy == source),
            _ => None,
        };
        let (copy, source) = tokio::try_join!(
            side(clients, &target, &copied, None, copy),
            side(clients, &source, &chosen.key, chosen.version.as_deref(), original)
        )?;
        Ok(Compared { chosen, copy, source, same_start })
    });
    let compared = compared.await.into_iter().collect::<Result<Vec<_>, Error>>()?;
    Ok(Drilling::Compared(sample, compared))
}

/// Of what was not read as a whole, S3 may have recorded a checksum.
async fn side(
    clients: &Clients,
    bucket: &Bucket,
    key: &str,
    version: Option<&str>,
    start: Start,
) -> Result<Side, Error> {
    match start {
        Start::Missing => Ok(Side::Missing),
        Start::Refused(code) => Ok(Side::Refused(code)),
        Start::Read(object, _) if object.size <= START => Ok(Side::There(object)),
        Start::Read(..) | Start::Archived => Ok(match object::head(&clients.s3, bucket, key, version).await? {
            Some(object) => Side::There(object),
            None => Side::Missing,
        }),
    }
}

fn source(clients: &Clients, marker: &Marker) -> Bucket {
    Bucket { region: clients.s3.home().to_owned(), name: marker.source.clone() }
}

fn key(folder: &Place) -> String {
    format!("{}{SAMPLE}", folder.key())
}
