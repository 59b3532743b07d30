//! The partitions of AWS: the hosts, consoles and ARNs that differ between the commercial regions, China, GovCloud, the
//! European Sovereign Cloud and the isolated regions.

/// One partition.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// The second field of its ARNs.
    pub name: &'static str,
    /// The domain of its service endpoints and of its container registries.
    pub domain: &'static str,
    /// The domain of its registries that answer by IPv6 as well; the isolated regions have none that is public.
    pub dual_stack: Option<&'static str>,
    /// The host of its web console, where that is public.
    pub console: Option<&'static str>,
    /// What the names of its regions begin with. The commercial regions share no beginning.
    regions: &'static str,
}

/// All of them. The domains are those of the SDKs' list of partitions and of the registry hosts that the credential
/// helper of ECR accepts. The order counts: `us-iso-` is looked for after `us-isob-`, and the commercial one matches
/// whatever is left, so that a region that was opened after this was written is understood.
static PARTITIONS: [Partition; 8] = [
    Partition {
        name: "aws-cn",
        domain: "amazonaws.com.cn",
        dual_stack: Some("on.amazonwebservices.com.cn"),
        console: Some("console.amazonaws.cn"),
        regions: "cn-",
    },
    Partition {
        name: "aws-us-gov",
        domain: "amazonaws.com",
        dual_stack: Some("on.aws"),
        console: Some("console.amazonaws-us-gov.com"),
        regions: "us-gov-",
    },
    Partition {
        name: "aws-eusc",
        domain: "amazonaws.eu",
        dual_stack: Some("on.amazonwebservices.eu"),
        console: Some("console.amazonaws-eusc.eu"),
        regions: "eusc-",
    },
    Partition { name: "aws-iso-b", domain: "sc2s.sgov.gov", dual_stack: None, console: None, regions: "us-isob-" },
    Partition { name: "aws-iso-e", domain: "cloud.adc-e.uk", dual_stack: None, console: None, regions: "eu-isoe-" },
    Partition { name: "aws-iso-f", domain: "csp.hci.ic.gov", dual_stack: None, console: None, regions: "us-isof-" },
    Partition { name: "aws-iso", domain: "c2s.ic.gov", dual_stack: None, console: None, regions: "us-iso-" },
    Partition {
        name: "aws",
        domain: "amazonaws.com",
        dual_stack: Some("on.aws"),
        console: Some("console.aws.amazon.com"),
        regions: "",
    },
];

impl Partition {
    /// The partition of a region.
    ///
    /// ```
    /// use rules::partition::Partition;
    ///
    /// assert_eq!(Partition::of_region("us-gov-west-1").name, "aws-us-gov");
    /// assert_eq!(Partition::of_region("ap-northeast-2").arn("rds", "ap-northeast-2", "123456789012", "db:app"),
    ///     "arn:aws:rds:ap-northeast-2:123456789012:db:app");
    /// ```
    pub fn of_region(region: &str) -> &'static Partition {
        let [.., commercial] = &PARTITIONS;
        PARTITIONS.iter().find(|it| region.starts_with(it.regions)).unwrap_or(commercial)
    }

    /// Whether RDS copies an encrypted snapshot from one of its regions to another only with a URL that is signed for the
    /// region of the original. Elsewhere RDS makes that itself.
    pub fn copies_need_a_signed_url(&self) -> bool {
        self.name == "aws-us-gov"
    }

    /// The partition of an ARN; `None` for what is not an ARN, or of a partition that this version does not know.
    pub fn of_arn(arn: &str) -> Option<&'static Partition> {
        let name = arn.strip_prefix("arn:")?.split(':').next()?;
        PARTITIONS.iter().find(|it| it.name == name)
    }

    /// The domains of its container registries.
    pub fn registry_domains() -> impl Iterator<Item = &'static str> {
        PARTITIONS.iter().flat_map(|it| [Some(it.domain), it.dual_stack]).flatten()
    }

    /// The ARN of a resource in this partition.
    pub fn arn(&self, service: &str, region: &str, account: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{region}:{account}:{resource}", self.name)
    }

    /// The host of a service's endpoint in one of its regions, such as `rds.us-gov-west-1.amazonaws.com`.
    pub fn endpoint(&self, service: &str, region: &str) -> String {
        format!("{service}.{region}.{}", self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_names_its_partition() {
        for (region, name) in [
            ("us-east-1", "aws"),
            ("us-gov-east-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("cn-northwest-1", "aws-cn"),
            ("eusc-de-east-1", "aws-eusc"),
            ("xx-new-1", "aws"),
            ("", "aws"),
        ] {
            assert_eq!(Partition::of_region(region).name, name, "{region}");
        }
    }

    #[test]
    fn an_arn_names_its_partition() {
        for it in &PARTITIONS {
            assert_eq!(Partition::of_arn(&it.arn("ecs", "r", "1", "service/a/b")), Some(it));
        }
        for wrong in ["", "aws", "arn", "arn:", "arn:aws-new:ecs:r:1:service/a/b"] {
            assert_eq!(Partition::of_arn(wrong), None, "{wrong}");
        }
        assert_eq!(Partition::of_region("cn-north-1").endpoint("rds", "cn-north-1"), "rds.cn-north-1.amazonaws.com.cn");
    }
}
