//! Tags as people and functions write them, for whatever reads tags.

/// What people write, with every option at least once.
pub const OF_PEOPLE: &[&str] = &[
    "mon-fri 08:00-20:00 Asia/Seoul off=1 after=app-db+ec2:i-0abc+asg:web enforce=true act=wake",
    "mon#1 08:00-20:00,22:00-02:00 days=1-7 months=jan-mar hibernate=true maintenance=awake",
    "mon-fri 08:00-20:00",
    "always",
    "never",
    "2026-11-21T23:00:00+09:00",
    "semver range=1.x suffix=-alpine approval=manual container=app migrate=truegul-migrate scan=high snapshot=kfood-db",
    "semver from=1.2 below=2.0 channel=rc config=newest repository=123456789012/team/api",
    "newest except=latest+dev prefix=main- health=https://shop.example/health test-health=https://shop.example:8443/",
    "number prefix=main- container=web",
    "tag name=latest",
    "promote from=staging/api soak=24h",
    "days=30 last=3 daily=7 weekly=4 monthly=12 yearly=5 gone=90d copy=us-west-2",
    "days=30 to=kfood-backups/uploads prefix=uploads/ class=GLACIER_IR",
    "daily=7 weekly=4",
    "count=10 days=30",
    "restart then=rollback then=notify within=20m cooldown=10m limit=3 service=shop/api",
    "scale-out max=6 step=2 then=notify",
    "reboot db=kfood-db failover=true",
    "sleep-at=100",
    "sleep-at=100 budget=Team",
    "enforce",
    "monthly rto=4h rpo=24h check=kfood-drill service=kfood-cluster/kfood-backend keep=2h class=db.t4g.micro from=latest",
    "step=2 until=2026-11-21T14:00:00Z",
    "nobody needs it until monday",
];

/// What functions remember.
pub const MEMORIES: &[&str] = &[
    "since=2026-11-20T11:00:00Z desired=2 min=1 max=4 suspended=in+out snapshot=nightshift-db-2026-11-19 by=schedule",
    "since=2026-11-20T11:00:00Z from=1 to=2 min=1",
    "since=2026-11-20T11:00:00Z The instance is not in a state in which it can be stopped.",
    "since=2026-11-20T11:00:00Z",
    "2026-11-20T11:00:00Z by=hand",
    "sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d pushed=2026-11-21T03:00:00Z by=hand tag=v1.1.0",
    "sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d at=2026-11-21T03:00:00Z from=1a2b3c4d1a2b instead=0123456789ab cleared=true now=true",
    "1a2b3c4d1a2b@2026-11-21T03:00:00Z 0123456789ab@2026-11-21T03:00:00Z",
    "won sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d at=2026-11-21T03:00:00Z",
    "sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d by=hand at=2026-11-21T03:00:00Z",
    "sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d of=1a2b3c4d since=2026-11-21T03:00:00Z minutes=30 at=2026-11-21T03:00:00Z ready=1a2b3c4d1a2b",
    "ns-1a2b3c4d at=2026-11-21T03:00:00Z",
    "ns-1a2b3c4d since=2026-11-21T03:00:00Z task=0123456789abcdef family=truegul-migrate start=asked",
    "restart rung=1 at=2026-11-21T03:00:00Z hour=1 day=2 count=3 fired=2026-11-21T03:00:00Z since=2026-11-21T02:00:00Z",
    "left fired=2026-11-21T03:00:00Z",
    "period=2026-11-01 limit=300 actual=101 told=100 forecast=118 raised=2026-11-24T03:20:00Z seen=101 \
     at=2026-11-24T03:20:00Z last=99.99",
    "by=budget:Team since=2026-11-20T00:00:00Z",
    "step=2 until=2026-11-21T14:00:00Z by=alarm:cpu",
    "of=kfood-db resource=db-ABCDEFGH begun=2026-11-27T01:03:00Z until=2026-11-27T19:03:00Z",
    "nightshift-kfood-db-2026-11-26 taken=2026-11-26T18:00:00Z",
    "up=2026-11-27T01:23:00Z task=0123456789abcdef proven=2026-11-27T01:33:00Z",
    "proven at=2026-11-27T01:33:00Z begun=2026-11-27T01:03:00Z took=30m data=9h good=2026-11-27T01:33:00Z snapshot=a",
    "2026-11-26T18:00:00Z check=kfood-drill",
    "snapshot-databases nightshift-kfood-db-2026-11-26 ap-northeast-2",
    "bad-tag 0123456789ab told=2026-11-20T11:00:00Z",
];

/// Both.
pub fn tags() -> Vec<&'static str> {
    OF_PEOPLE.iter().chain(MEMORIES).copied().collect()
}
