//! RDS: databases and manual snapshots of several regions, with their tags, pages and refusals.

use std::collections::BTreeMap;

use super::{Answer, Call, HOME, Tables};

const ACCOUNT: &str = "123456789012";

/// A DB instance or DB cluster of the function's region.
#[derive(Debug, Clone)]
pub struct Database {
    /// Which of the two.
    pub cluster: bool,
    /// Its identifier.
    pub id: String,
    /// Such as `available`.
    pub status: String,
    /// Such as `postgres`.
    pub engine: String,
    /// Of a member instance the cluster.
    pub member_of: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A manual snapshot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where it is.
    pub region: String,
    /// Whether it is one of a DB cluster.
    pub cluster: bool,
    /// Its identifier.
    pub id: String,
    /// The database that it was taken of.
    pub database: String,
    /// Such as `available`.
    pub status: String,
    /// RFC 3339; AWS leaves it out while a snapshot is `creating`.
    pub created_at: Option<String>,
    /// How much of it is there.
    pub progress: u8,
    /// The accounts that it is shared with.
    pub shared_with: Vec<String>,
    /// The ARN of the KMS key that it is encrypted with.
    pub key: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// RDS in all regions.
#[derive(Debug)]
pub struct Rds {
    /// The databases of the function's region.
    pub databases: Vec<Database>,
    /// The manual snapshots of all regions.
    pub snapshots: Vec<Snapshot>,
    /// How many entries a page has.
    pub page: usize,
    /// How many manual snapshots of a kind there may be in a region.
    pub quota: usize,
    /// What DescribeEvents tells, by the id of the database or snapshot: moment and message.
    pub events: BTreeMap<String, Vec<(String, String)>>,
}

impl Default for Rds {
    fn default() -> Self {
        Rds { databases: Vec::new(), snapshots: Vec::new(), page: 100, quota: 100_000, events: BTreeMap::new() }
    }
}

impl Rds {
    /// Adds an `available` DB instance and returns it.
    pub fn serve(&mut self, id: &str, tags: &[(&str, &str)]) -> &mut Database {
        self.databases.push(Database {
            cluster: false,
            id: id.into(),
            status: "available".into(),
            engine: "postgres".into(),
            member_of: None,
            tags: tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        });
        self.databases.last_mut().expect("it was added")
    }

    /// Adds an `available` snapshot in the function's region and returns it.
    pub fn store(&mut self, id: &str, database: &str, created_at: &str, tags: &[(&str, &str)]) -> &mut Snapshot {
        self.snapshots.push(Snapshot {
            region: HOME.into(),
            cluster: false,
            id: id.into(),
            database: database.into(),
            status: "available".into(),
            created_at: Some(created_at.into()),
            progress: 100,
            shared_with: Vec::new(),
            key: None,
            tags: tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        });
        self.snapshots.last_mut().expect("it was added")
    }

    /// The ids of the snapshots of a region, sorted.
    pub fn ids(&self, region: &str) -> Vec<String> {
        let mut ids: Vec<String> =
            self.snapshots.iter().filter(|it| it.region == region).map(|it| it.id.clone()).collect();
        ids.sort();
        ids
    }

    /// The database of this name.
    pub fn database(&mut self, id: &str) -> &mut Database {
        self.databases.iter_mut().find(|it| it.id == id).expect("there is such a database")
    }

    /// The snapshot of this name in a region.
    pub fn snapshot(&mut self, region: &str, id: &str) -> &mut Snapshot {
        self.snapshots.iter_mut().find(|it| it.region == region && it.id == id).expect("there is such a snapshot")
    }

    fn describe_databases(&self, call: &Call, cluster: bool) -> Answer {
        let noun = if cluster { "DBCluster" } else { "DBInstance" };
        let wanted = call.text(&format!("{noun}Identifier"));
        let there = self.databases.iter().filter(|it| it.cluster == cluster && call.region == HOME);
        let found: Vec<&Database> = there.filter(|it| wanted.is_empty() || it.id == wanted).collect();
        if !wanted.is_empty() && found.is_empty() {
            return Answer::Refused(no_database(cluster));
        }
        self.page(call, noun, &found, Database::xml)
    }

    fn describe_snapshots(&self, call: &Call, cluster: bool) -> Answer {
        let noun = snapshot_noun(cluster);
        let wanted = call.text(&format!("{noun}Identifier"));
        assert!(call.text("SnapshotType") == "manual" || !wanted.is_empty(), "automated ones would be listed too");
        let there = self.snapshots.iter().filter(|it| it.cluster == cluster && it.region == call.region);
        let found: Vec<&Snapshot> = there.filter(|it| wanted.is_empty() || it.id == wanted).collect();
        if !wanted.is_empty() && found.is_empty() {
            return Answer::Refused(no_snapshot(cluster));
        }
        self.page(call, noun, &found, Snapshot::xml)
    }

    fn page<T>(&self, call: &Call, noun: &str, all: &[&T], xml: impl Fn(&T) -> String) -> Answer {
        let from: usize = call.text("Marker").parse().unwrap_or_default();
        let entries = all.iter().skip(from).take(self.page).map(|it| format!("<{noun}>{}</{noun}>", xml(it)));
        let entries: String = entries.collect();
        let next = from + self.page;
        let marker = if next < all.len() { format!("<Marker>{next}</Marker>") } else { String::new() };
        Answer::Xml(format!("<{noun}s>{entries}</{noun}s>{marker}"))
    }

    fn attributes(&self, call: &Call, cluster: bool) -> Answer {
        let noun = snapshot_noun(cluster);
        let Some(it) = self.place(call, cluster, call.text(&format!("{noun}Identifier"))) else {
            return Answer::Refused(no_snapshot(cluster));
        };
        let accounts = self.snapshots[it].shared_with.iter().map(|it| format!("<AttributeValue>{it}</AttributeValue>"));
        let accounts: String = accounts.collect();
        Answer::Xml(format!(
            "<{noun}AttributesResult><{noun}Attributes><{noun}Attribute><AttributeName>restore</AttributeName>\
             <AttributeValues>{accounts}</AttributeValues></{noun}Attribute></{noun}Attributes></{noun}AttributesResult>"
        ))
    }

    fn quotas(&self) -> Answer {
        let quota = |name: &str| {
            format!(
                "<AccountQuota><AccountQuotaName>{name}</AccountQuotaName><Used>0</Used><Max>{}</Max></AccountQuota>",
                self.quota
            )
        };
        let quotas: String = ["DBInstances", "ManualSnapshots", "ManualClusterSnapshots"].map(quota).concat();
        Answer::Xml(format!("<AccountQuotas>{quotas}</AccountQuotas>"))
    }

    fn describe_events(&self, call: &Call) -> Answer {
        assert!(call.text("SourceType").starts_with("db-"), "a source needs its type");
        let events = self.events.get(call.text("SourceIdentifier")).into_iter().flatten();
        let events: String =
            events.map(|(at, what)| format!("<Event><Date>{at}</Date><Message>{what}</Message></Event>")).collect();
        Answer::Xml(format!("<Events>{events}</Events>"))
    }

    fn place(&self, call: &Call, cluster: bool, id: &str) -> Option<usize> {
        self.snapshots.iter().position(|it| it.region == call.region && it.cluster == cluster && it.id == id)
    }

    fn create(&mut self, call: &Call, cluster: bool) -> Answer {
        let noun = if cluster { "DBCluster" } else { "DBInstance" };
        let database = call.text(&format!("{noun}Identifier")).to_owned();
        let id = call.text(&format!("{}Identifier", snapshot_noun(cluster))).to_owned();
        match self.databases.iter().find(|it| it.cluster == cluster && it.id == database) {
            None => Answer::Refused(no_database(cluster)),
            Some(it) if it.status != "available" && cluster => Answer::Refused("InvalidDBClusterStateFault"),
            Some(it) if it.status != "available" => Answer::Refused("InvalidDBInstanceState"),
            Some(_) => self.add(call, cluster, id, database),
        }
    }

    fn copy(&mut self, call: &Call, cluster: bool) -> Answer {
        let noun = snapshot_noun(cluster);
        let source = call.text(&format!("Source{noun}Identifier"));
        let id = call.text(&format!("Target{noun}Identifier")).to_owned();
        let Some(original) = self.snapshots.iter().find(|it| it.arn() == source) else {
            return Answer::Refused(no_snapshot(cluster));
        };
        let database = original.database.clone();
        self.add(call, cluster, id, database)
    }

    fn add(&mut self, call: &Call, cluster: bool, id: String, database: String) -> Answer {
        if self.place(call, cluster, &id).is_some() {
            let there = if cluster { "DBClusterSnapshotAlreadyExistsFault" } else { "DBSnapshotAlreadyExists" };
            return Answer::Refused(there);
        }
        let alike = self.snapshots.iter().filter(|it| it.cluster == cluster && it.region == call.region);
        if alike.count() >= self.quota {
            return Answer::Refused("SnapshotQuotaExceeded");
        }
        self.snapshots.push(Snapshot {
            region: call.region.clone(),
            cluster,
            id,
            database,
            status: "creating".into(),
            created_at: None,
            progress: 0,
            shared_with: Vec::new(),
            key: None,
            tags: tags(call),
        });
        let noun = snapshot_noun(cluster);
        let made = self.snapshots.last().expect("it was added").xml();
        Answer::Xml(format!("<{noun}>{made}</{noun}>"))
    }

    fn delete(&mut self, call: &Call, cluster: bool) -> Answer {
        let id = call.text(&format!("{}Identifier", snapshot_noun(cluster)));
        match self.place(call, cluster, id) {
            None => Answer::Refused(no_snapshot(cluster)),
            Some(it) if self.snapshots[it].status == "creating" => Answer::Refused("InvalidDBSnapshotState"),
            Some(it) => {
                self.snapshots.remove(it);
                Answer::Xml(String::new())
            }
        }
    }

    fn tag(&mut self, call: &Call) -> Answer {
        let arn = call.text("ResourceName");
        let databases = self.databases.iter_mut().map(|it| (it.arn(), &mut it.tags));
        let snapshots = self.snapshots.iter_mut().map(|it| (it.arn(), &mut it.tags));
        let Some((_, kept)) = databases.chain(snapshots).find(|(it, _)| it == arn) else {
            return Answer::Refused("InvalidParameterValue");
        };
        kept.extend(tags(call));
        for key in call.texts("TagKeys.member") {
            kept.remove(&key);
        }
        Answer::Xml(String::new())
    }
}

impl Tables for Rds {
    fn answer(&mut self, call: &Call) -> Answer {
        let cluster = call.operation.contains("DBCluster");
        match call.operation.as_str() {
            "DescribeDBInstances" | "DescribeDBClusters" => self.describe_databases(call, cluster),
            "DescribeDBSnapshots" | "DescribeDBClusterSnapshots" => self.describe_snapshots(call, cluster),
            "DescribeDBSnapshotAttributes" | "DescribeDBClusterSnapshotAttributes" => self.attributes(call, cluster),
            "CreateDBSnapshot" | "CreateDBClusterSnapshot" => self.create(call, cluster),
            "CopyDBSnapshot" | "CopyDBClusterSnapshot" => self.copy(call, cluster),
            "DeleteDBSnapshot" | "DeleteDBClusterSnapshot" => self.delete(call, cluster),
            "AddTagsToResource" | "RemoveTagsFromResource" => self.tag(call),
            "DescribeAccountAttributes" => self.quotas(),
            "DescribeEvents" => self.describe_events(call),
            other => panic!("the script knows no {other}"),
        }
    }
}

impl Database {
    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:rds:{HOME}:{ACCOUNT}:{}:{}", if self.cluster { "cluster" } else { "db" }, self.id)
    }

    fn xml(&self) -> String {
        let Database { id, status, engine, .. } = self;
        let (arn, tags) = (self.arn(), tags_in_xml(&self.tags));
        if self.cluster {
            return format!(
                "<DBClusterIdentifier>{id}</DBClusterIdentifier><DBClusterArn>{arn}</DBClusterArn><Status>{status}</Status>\
                 <Engine>{engine}</Engine><DbClusterResourceId>cluster-{id}</DbClusterResourceId>{tags}"
            );
        }
        let member = self.member_of.iter().map(|it| format!("<DBClusterIdentifier>{it}</DBClusterIdentifier>"));
        let member: String = member.collect();
        format!(
            "<DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceArn>{arn}</DBInstanceArn>\
             <DBInstanceStatus>{status}</DBInstanceStatus><Engine>{engine}</Engine><DbiResourceId>db-{id}</DbiResourceId>\
             {member}{tags}"
        )
    }
}

impl Snapshot {
    /// Its ARN.
    pub fn arn(&self) -> String {
        let kind = if self.cluster { "cluster-snapshot" } else { "snapshot" };
        format!("arn:aws:rds:{}:{ACCOUNT}:{kind}:{}", self.region, self.id)
    }

    fn xml(&self) -> String {
        let Snapshot { id, database, status, progress, .. } = self;
        let noun = snapshot_noun(self.cluster);
        let (of, resource) = match self.cluster {
            true => ("DBCluster", format!("<DbClusterResourceId>cluster-{database}</DbClusterResourceId>")),
            false => ("DBInstance", format!("<DbiResourceId>db-{database}</DbiResourceId>")),
        };
        let created = self.created_at.iter().map(|it| format!("<SnapshotCreateTime>{it}</SnapshotCreateTime>"));
        format!(
            "<{noun}Identifier>{id}</{noun}Identifier><{noun}Arn>{}</{noun}Arn><{of}Identifier>{database}</{of}Identifier>\
             <SnapshotType>manual</SnapshotType><Status>{status}</Status><PercentProgress>{progress}</PercentProgress>\
             <Engine>postgres</Engine>{resource}{}{}{}",
            self.arn(),
            created.collect::<String>(),
            self.key.iter().map(|it| format!("<KmsKeyId>{it}</KmsKeyId>")).collect::<String>(),
            tags_in_xml(&self.tags)
        )
    }
}

fn snapshot_noun(cluster: bool) -> &'static str {
    if cluster { "DBClusterSnapshot" } else { "DBSnapshot" }
}

fn no_database(cluster: bool) -> &'static str {
    if cluster { "DBClusterNotFoundFault" } else { "DBInstanceNotFound" }
}

fn no_snapshot(cluster: bool) -> &'static str {
    if cluster { "DBClusterSnapshotNotFoundFault" } else { "DBSnapshotNotFound" }
}

fn tags(call: &Call) -> BTreeMap<String, String> {
    let text = |name: String| call.body[name].as_str().map(str::to_owned);
    let tag = |it: usize| Some((text(format!("Tags.Tag.{it}.Key"))?, text(format!("Tags.Tag.{it}.Value"))?));
    (1..).map_while(tag).collect()
}

fn tags_in_xml(tags: &BTreeMap<String, String>) -> String {
    let tag = |(key, value): (&String, &String)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    format!("<TagList>{}</TagList>", tags.iter().map(tag).collect::<String>())
}
