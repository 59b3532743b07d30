//! Which containers of a task definition a rule is about, and from which repository their image comes.

use rules::deploy::RepositoryName;
use rules::image::{ImageName, Repository, looks_like_ecr};

use super::world::{Service, TaskDefinition};

#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// The names of the containers whose image is changed.
    pub containers: Vec<String>,
    /// The image that the first of them is set to, or where that is elsewhere, the repository without tag or digest.
    pub image: ImageName,
    /// The image of the first, where it is not one of the repository: a placeholder, such as a public image.
    pub elsewhere: Option<String>,
}

impl Watched {
    /// What a rule with these options is about; the error says what is wrong with it.
    pub fn find(
        service: &Service,
        container: Option<&str>,
        repository: Option<&RepositoryName>,
        revision: &TaskDefinition,
    ) -> Result<Self, String> {
        let own = Registry::of(service);
        let wanted = repository.map(|it| own.repository(it));
        let named = |(name, _): &(&str, &str)| container.is_none_or(|it| it == *name);
        let all: Vec<(&str, &str)> = revision.images().collect();
        let named: Vec<(&str, &str)> = all.iter().filter(|it| named(it)).copied().collect();
        let names = || all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let definition = revision.short_name();
        if let Some(container) = container.filter(|_| named.is_empty()) {
            return Err(format!(
                "container={container}: the task definition {definition} has no such container; it has {}",
                names()
            ));
        }
        let in_ecr = named.iter().filter_map(|(name, image)| Some((*name, ImageName::parse(image)?)));
        let suits = |it: &ImageName| wanted.as_ref().is_none_or(|wanted| it.repository() == *wanted);
        let chosen: Vec<(&str, ImageName)> = in_ecr.filter(|(_, image)| suits(image)).collect();
        let Some((_, first)) = chosen.first() else {
            return match (wanted, &named[..]) {
                (Some(wanted), [(name, image)]) => Ok(Watched {
                    containers: vec![name.to_string()],
                    image: own.image_in(wanted, &all),
                    elsewhere: Some(image.to_string()),
                }),
                (Some(wanted), _) => Err(format!(
                    "repository={wanted}: no container of the task definition {definition} has an image of it; add \
                     container=NAME to say which one gets it; it has {}",
                    names()
                )),
                (None, _) => Err(without_ecr(&definition, &named)),
            };
        };
        if chosen.iter().any(|(_, image)| image.repository() != first.repository()) {
            return Err(format!("its containers use several repositories: {}; {}", pairs(&chosen), ADD_CONTAINER));
        }
        if wanted.is_none() && first.account != own.account {
            return Err(format!(
                "its image is in the registry of account {}; where that account lets this function read it, add \
                 repository={}/{} to the tag",
                first.account, first.account, first.repository
            ));
        }
        if first.region != own.region {
            return Err(format!(
                "its image is in the registry of {}; only registries of the service's own region, {}, are watched: \
                 replicate the repository to it",
                first.region, own.region
            ));
        }
        let containers = chosen.iter().map(|(name, _)| name.to_string()).collect();
        Ok(Watched { containers, image: first.clone(), elsewhere: None })
    }

    /// The repository as AWS is asked for it: `NAME`, or `ACCOUNT/NAME` in the registry of another account.
    pub fn key(&self, service: &Service) -> String {
        let own = self.image.account == Registry::of(service).account;
        let account = (!own).then(|| self.image.account.clone());
        RepositoryName { account, name: self.image.repository.clone() }.to_string()
    }
}

/// The remedy where containers differ.
const ADD_CONTAINER: &str = "add container=NAME to the tag";

/// What is wrong with containers of one repository that run different images, which must not become one.
pub fn different_images(containers: &[(&str, ImageName)]) -> String {
    format!("its containers run several images of one repository: {}; {}", pairs(containers), ADD_CONTAINER)
}

fn pairs(containers: &[(&str, ImageName)]) -> String {
    let reference = |image: &ImageName| match (&image.tag, &image.digest) {
        (Some(tag), _) => format!("{}:{tag}", image.repository),
        (None, Some(digest)) => format!("{}@{}", image.repository, digest.short()),
        (None, None) => image.repository.clone(),
    };
    containers.iter().map(|(name, image)| format!("{name} ({})", reference(image))).collect::<Vec<_>>().join(", ")
}

fn without_ecr(definition: &str, containers: &[(&str, &str)]) -> String {
    match containers.iter().find(|(_, image)| looks_like_ecr(image)) {
        Some((name, image)) => format!(
            "the image {image} of the container {name} names a registry by a host that this version does not know; use \
             ACCOUNT.dkr.ecr.REGION and the domain of your partition"
        ),
        None => format!(
            "{definition} has no image of a private ECR repository, so there is nothing to watch; where the first image has yet to come, add repository=NAME to the tag"
        ),
    }
}

struct Registry<'a> {
    account: &'a str,
    region: &'a str,
}

impl<'a> Registry<'a> {
    fn of(service: &'a Service) -> Self {
        let mut fields = service.arn.split(':').skip(3);
        let region = fields.next().unwrap_or_default();
        Registry { region, account: fields.next().unwrap_or_default() }
    }

    fn repository(&self, name: &RepositoryName) -> Repository {
        let account = name.account.as_deref().unwrap_or(self.account);
        Repository { account: account.into(), region: self.region.into(), name: name.name.clone() }
    }

    /// A repository by the host that other containers use for its registry, which may be one of FIPS.
    fn image_in(&self, repository: Repository, containers: &[(&str, &str)]) -> ImageName {
        let known = containers.iter().filter_map(|(_, image)| ImageName::parse(image));
        let same = |it: &ImageName| (&it.account, &it.region) == (&repository.account, &repository.region);
        let registry = known.into_iter().find(same).map_or_else(|| repository.usual_host(), |it| it.registry);
        let Repository { account, region, name } = repository;
        ImageName { registry, account, region, repository: name, tag: None, digest: None }
    }
}
