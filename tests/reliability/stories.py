"""The stories: how each begins, and what happens in it. A step has a moment, and something that happens or a run.

AWS goes on by itself between the steps: rollouts end, databases start and stop, tasks that are run once end (`tick`).
"""

import dataclasses
import typing

import emulator
import world
from emulator import ACCOUNT, REGION, call, query


@dataclasses.dataclass
class Step:
    at: str
    function: str = ""
    payload: typing.Any = None
    # A person sees that a command failed, and sends it once more.
    person: bool = False
    do: typing.Callable = None
    # What comes after the story, so that also its last run is followed by another; not disturbed itself.
    after: bool = False


@dataclasses.dataclass
class Story:
    name: str
    functions: tuple
    begin: typing.Callable
    steps: list
    # Which events of AWS start which function: (source, detail-type, what the detail must hold) -> function.
    routes: tuple = ()
    tick: typing.Callable = lambda: None
    environment: dict = dataclasses.field(default_factory=dict)
    # What people have to hear besides what asks for them and what failed: it begins with one of these.
    must_be_told: tuple = ()
    # News of these words may be lost with the run that had them, with the reason why that is accepted.
    may_be_lost: dict = dataclasses.field(default_factory=dict)
    # What a later run tells with fewer or other words, since it knows more: how each of both begins.
    in_other_words: dict = dataclasses.field(default_factory=dict)
    # Counts that may be smaller, and counts that may be larger where runs overlap, with the reason.
    may_be_fewer: dict = dataclasses.field(default_factory=dict)
    overlapping: dict = dataclasses.field(default_factory=dict)
    # Calls that are not made again where AWS refuses them, with the reason.
    at_most_once: dict = dataclasses.field(default_factory=dict)
    # Tags that need not be equal at the end, with the reason.
    may_differ: dict = dataclasses.field(default_factory=dict)


def sweeps(function, *moments, after=False):
    return [Step(at, function, {}, after=after) for at in moments]


# ------------------------------------------------------------------------------------------------ deploy-image

_SHOP, _API = "truegul-production", "api-server"
_MIGRATION = "truegul-migrate"
# A deployment is one call, and nothing can be written together with it. The run of the event that follows sees the old
# image running, rejects the new one and tells that, with the same reason.
_GOING_BACK = "that v1.1.0 is rejected is told by the next run"
_ROLLOUTS = (("aws.ecs", "ECS Deployment State Change", {"eventName": ("SERVICE_DEPLOYMENT_COMPLETED",
                                                                        "SERVICE_DEPLOYMENT_FAILED")}, "deploy-image"),
             ("aws.ecs", "ECS Task State Change", {"lastStatus": ("STOPPED",)}, "deploy-image"),
             ("aws.ecr", "ECR Image Action", {"action-type": ("PUSH",)}, "deploy-image"))


def _open_shop(rule):
    world.image("truegul-api-server", "v1.0.0")
    world.service(_SHOP, _API, world.uri("truegul-api-server", ":v1.0.0"), {"nightshift:deploy": rule})


def _open_with_gates():
    _open_shop(f"semver range=1.x approval=manual migrate={_MIGRATION}")
    world.definition(_MIGRATION, "migrate", world.uri("truegul-api-server", ":v1.0.0"))


def _push(version, bad=False):
    def push():
        import rollouts

        digest = world.image("truegul-api-server", version)
        if bad:
            rollouts.SETTINGS["bad_digests"].append(digest)

    return push


def _end_migrations():
    import tasks

    tasks.end(_MIGRATION, 0)


def _approve(version):
    return {"approve": {"service": f"{_SHOP}/{_API}", "image": version}}


def _deploy_with_gates():
    one = "2026-11-20T"
    return Story(
        "a deployment through its gates, and a bad one", ("deploy-image",), _open_with_gates, [
            Step(one + "10:00:00Z", do=_push("v1.1.0")),
            *sweeps("deploy-image", one + "10:07:00Z"),
            Step(one + "10:20:00Z", "deploy-image", _approve("v1.1.0"), person=True),
            *sweeps("deploy-image", one + "11:07:00Z", one + "12:07:00Z"),
            Step(one + "13:00:00Z", do=_push("v1.2.0", bad=True)),
            *sweeps("deploy-image", one + "13:07:00Z"),
            Step(one + "13:20:00Z", "deploy-image", _approve("v1.2.0"), person=True),
            *sweeps("deploy-image", one + "14:07:00Z", one + "15:07:00Z"),
            *sweeps("deploy-image", one + "16:07:00Z", one + "17:07:00Z", after=True),
        ], _ROLLOUTS, _end_migrations)


def _roll_back():
    one = "2026-11-20T"
    back = {"rollback": {"service": f"{_SHOP}/{_API}"}}
    return Story(
        "a deployment, taken back by a person", ("deploy-image",), lambda: _open_shop("semver range=1.x"), [
            Step(one + "10:00:00Z", do=_push("v1.1.0")),
            *sweeps("deploy-image", one + "10:07:00Z", one + "11:07:00Z"),
            Step(one + "11:20:00Z", "deploy-image", back, person=True),
            *sweeps("deploy-image", one + "12:07:00Z"),
            *sweeps("deploy-image", one + "13:07:00Z", one + "14:07:00Z", after=True),
        ], _ROLLOUTS,
        may_be_lost={f"{_SHOP}/{_API}: going back to v1.0.0 from v1.1.0": _GOING_BACK})


_PAUSES = (*_ROLLOUTS, ("aws.ecs", "ECS Hook State Change", {"eventName": ("HOOK_AWAITING_ACTION", "HOOK_TIMED_OUT")},
                         "deploy-image"))


def _open_canary():
    import rollouts

    # `_shift` takes deployments from stage to stage.
    rollouts.SETTINGS["mode"] = "manual"
    _open_shop("semver range=1.x approval=at-hook")
    rollouts.settle(f"{_SHOP}/{_API}", "completed")
    pause = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}
    call("ecs", "UpdateService", cluster=_SHOP, service=_API, deploymentConfiguration={
        "strategy": "CANARY", "bakeTimeInMinutes": 30, "lifecycleHooks": [pause],
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10}})


def _shift():
    """A deployment goes on to its next pause, or to its end."""
    import history
    import rollouts
    import shifting

    record = history.current(history.find(_SHOP, _API))
    waits = record["status"] == "IN_PROGRESS" and shifting._waits(record)
    if record["status"] in ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS") and not waits:
        rollouts.settle(f"{_SHOP}/{_API}", "completed")


def _canary():
    one = "2026-11-20T"
    reject = {"reject": {"service": f"{_SHOP}/{_API}", "image": "v1.2.0"}}
    return Story(
        "a canary that pauses for a person, and one that is refused", ("deploy-image",), _open_canary, [
            Step(one + "10:00:00Z", do=_push("v1.1.0")),
            *sweeps("deploy-image", one + "10:07:00Z"),
            Step(one + "10:20:00Z", "deploy-image", _approve("v1.1.0"), person=True),
            *sweeps("deploy-image", one + "11:07:00Z"),
            Step(one + "13:00:00Z", do=_push("v1.2.0")),
            *sweeps("deploy-image", one + "13:07:00Z"),
            Step(one + "13:20:00Z", "deploy-image", reject, person=True),
            *sweeps("deploy-image", one + "14:07:00Z"),
            *sweeps("deploy-image", one + "15:07:00Z", one + "16:07:00Z", after=True),
        ], _PAUSES, _shift,
        may_be_lost={f"{_SHOP}/{_API}: stopping v1.2.0, ECS goes back":
                     "the same: that v1.2.0 is rejected and v1.1.0 stays is told by the next run"},
        may_differ={"nightshift-state:approved":
                    "of two runs that approve the same image the second one may find that it does not pause any more, and "
                    "remembers the approval: it is of this image alone, which is out"})


_BLUE_GREEN = (*_ROLLOUTS, ("aws.codedeploy", "CodeDeploy Deployment State-change Notification",
                            {"state": ("SUCCESS", "FAILURE", "STOP")}, "deploy-image"))


def _open_blue_green():
    world.image("truegul-api-server", "v1.0.0")
    call("ecs", "CreateCluster", clusterName=_SHOP)
    arn = world.definition(_API, _API, world.uri("truegul-api-server", ":v1.0.0"))
    call("ecs", "CreateService", cluster=_SHOP, serviceName=_API, taskDefinition=arn, desiredCount=2, launchType="FARGATE",
         deploymentController={"type": "CODE_DEPLOY"},
         loadBalancers=[{"targetGroupArn": "arn:blue", "containerName": _API, "containerPort": 3000}],
         networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}},
         tags=[{"key": "nightshift:deploy", "value": "semver range=1.x"}])
    call("codedeploy", "CreateApplication", applicationName="truegul", computePlatform="ECS")
    call("codedeploy", "CreateDeploymentGroup", applicationName="truegul", deploymentGroupName=_API,
         ecsServices=[{"clusterName": _SHOP, "serviceName": _API}],
         autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]})


def _blue_green():
    one = "2026-11-20T"
    return Story(
        "deployments of CodeDeploy, the second of which is bad", ("deploy-image",), _open_blue_green, [
            Step(one + "10:00:00Z", do=_push("v1.1.0")),
            *sweeps("deploy-image", one + "10:07:00Z"),
            Step(one + "13:00:00Z", do=_push("v1.2.0", bad=True)),
            *sweeps("deploy-image", one + "13:07:00Z", one + "14:07:00Z"),
            *sweeps("deploy-image", one + "15:07:00Z", one + "16:07:00Z", after=True),
        ], _BLUE_GREEN)


# ------------------------------------------------------------------------------------------------ deploy-compose

_TABLES = "table-order-api"
_COMPOSE = (
    ("aws.ecr", "ECR Image Action", {"action-type": ("PUSH",)}, "deploy-compose"),
    ("aws.ssm", "EC2 Command Invocation Status-change Notification", {"status": ("Success", "Failed")}, "deploy-compose"))


def _open_tables():
    first = world.image(_TABLES, "v1.0.0")
    image = world.uri(_TABLES, f"@{first}")
    web = world.instance("web-1", {"nightshift:deploy": f"semver repository={_TABLES} path=/srv/app service=api "
                                                        "health=http://localhost:3000/api/v1/health wait=5s"})
    compose = f"services:\n  api:\n    image: {image}\n    ports:\n      - \"3000:3000\"\n"
    world.machine(web, {"/srv/app/compose.yaml": compose},
                  {"project": "/srv/app", "service": "api", "image": image, "ports": ["3000"]})


def _push_to_machines(version, **behaviour):
    def push():
        import run_command
        import scripts

        digest = world.image(_TABLES, version)
        for machine in scripts.all_of_them() if behaviour else ():
            run_command.furnish({"id": machine, "images": {digest: behaviour}})

    return push


def _compose():
    one = "2026-11-20T"

    def looks(*moments, after=False):
        return sweeps("deploy-compose", *(f"{one}{it}:00Z" for it in moments), after=after)

    back = {"rollback": {"instance": "web-1"}}
    return Story(
        "images on a machine, one bad, one without an answer", ("deploy-compose",), _open_tables, [
            *looks("09:04"),
            Step(one + "10:00:00Z", do=_push_to_machines("v1.1.0")),
            *looks("10:04", "10:19"),
            Step(one + "11:00:00Z", do=_push_to_machines("v1.2.0", starts="unhealthy")),
            *looks("11:04", "11:19"),
            Step(one + "12:00:00Z", do=_push_to_machines("v1.3.0", kills="up")),
            *looks("12:04", "12:19"),
            Step(one + "13:00:00Z", do=_push_to_machines("v1.4.0")),
            # What did not get through is tried again after a quarter of an hour, or after one; then a person goes back.
            *looks("13:04", "13:19", "13:34", "14:04"),
            Step(one + "14:30:00Z", "deploy-compose", back, person=True),
            *looks("14:34"),
            *looks("14:49", "15:04", "15:34", "16:04", "16:34", after=True),
        ], _COMPOSE, environment={"NIGHTSHIFT_COMPOSE_DOCUMENT": "nightshift-ComposeDocument"},
        may_be_lost={
            "api on web-1: v1.1.0 runs":
                     "what was read back is news only after an answer that said nothing; before it people were told that it "
                     "is being read back, and after it the status and the report of the day say it",
            "api on web-1: going back to ":
                     "it is one call, and nothing can be written together with it; that v1.4.0 is rejected is told all the same, "
                     "and by the next run how it ended"},
        in_other_words={
            "api on web-1: v1.2.0 failed, v1.1.0 runs again": "api on web-1: v1.2.0 is rejected",
            "api on web-1: v1.3.0 is rejected, what runs is being read back": "api on web-1: v1.3.0 is rejected"},
        overlapping={f"commands that deploy {it}":
                     "Systems Manager has no token for a command; the script runs once at a time, and answers `unchanged` where "
                     "the image runs already" for it in ("v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0")})


# ------------------------------------------------------------------------------------------------ scale-staging

_STAGING, _BACKEND, _DATABASE = "codemate-dev", "codemate-backend", "codemate-dev-db"
_HOURS = "mon-fri 08:00-20:00"
_DATABASES = (("aws.rds", "RDS DB Instance Event", {}, "scale-staging"),)


def _open_staging():
    world.image(_BACKEND, "v1.0.0")
    image = world.uri(_BACKEND, ":v1.0.0")
    world.service(_STAGING, _BACKEND, image, {"nightshift:schedule": f"{_HOURS} after={_DATABASE}"})
    world.service(_STAGING, "bare", image, {})
    call("application-autoscaling", "RegisterScalableTarget", ServiceNamespace="ecs", MinCapacity=1, MaxCapacity=4,
         ScalableDimension="ecs:service:DesiredCount", ResourceId=f"service/{_STAGING}/{_BACKEND}")
    world.database(_DATABASE, {"nightshift:schedule": _HOURS, "nightshift:backup": "days=30"})


def _weekend():
    evening, morning = "2026-11-20T20:", "2026-11-23T08:"
    return Story(
        "an evening and a morning", ("scale-staging",), _open_staging, [
            *sweeps("scale-staging", *(f"{evening}{minute}:00+09:00" for minute in ("00", "05", "10", "15"))),
            *sweeps("scale-staging", "2026-11-21T03:00:00+09:00"),
            *sweeps("scale-staging", *(f"{morning}{minute}:00+09:00" for minute in ("00", "05", "10"))),
            *sweeps("scale-staging", *(f"{morning}{minute}:00+09:00" for minute in ("15", "20")), after=True),
            # A start that RDS refused is tried again an hour later.
            *sweeps("scale-staging", *(f"2026-11-23T09:{minute}:00+09:00" for minute in ("10", "15", "20")), after=True),
        ], _DATABASES)


def _open_machines():
    tags = {"nightshift:schedule": _HOURS}
    shop = world.instance("shop", tags)
    world.instance("bare", {})
    world.group("web", 1, 4, 2, tags)
    world.image(_BACKEND, "v1.0.0")
    world.service(_STAGING, _BACKEND, world.uri(_BACKEND, ":v1.0.0"), {"nightshift:schedule": f"{_HOURS} after=ec2:{shop}"})


def _machines():
    evening, morning = "2026-11-20T20:", "2026-11-23T08:"
    return Story(
        "an evening and a morning of machines", ("scale-staging",), _open_machines, [
            *sweeps("scale-staging", *(f"{evening}{minute}:00+09:00" for minute in ("00", "05", "10"))),
            *sweeps("scale-staging", "2026-11-21T03:00:00+09:00"),
            *sweeps("scale-staging", *(f"{morning}{minute}:00+09:00" for minute in ("00", "05", "10"))),
            *sweeps("scale-staging", *(f"{morning}{minute}:00+09:00" for minute in ("15", "20")), after=True),
            *sweeps("scale-staging", *(f"2026-11-23T09:{minute}:00+09:00" for minute in ("10", "15", "20")), after=True),
        ])


# ------------------------------------------------------------------------------------------------ backups

_MADE_BY = "nightshift-state:made-by"


def _open_kitchen():
    for name in ("kfood-db", "orders-db"):
        world.database(name, {"nightshift:backup": "daily=2", "team": "food"})
    world.database("bare-db", {})


def _earlier(*dates):
    for date in dates:
        name = f"nightshift-kfood-db-{date}"
        tags = {_MADE_BY: f"snapshot-databases {name} ap-northeast-2", "nightshift-state:database": "kfood-db",
                "nightshift-state:backup": "daily=2"}
        world.snapshot("kfood-db", name, f"{date}T18:00:00Z", tags)


def _fail_snapshot():
    """The snapshot of the night turns out to have failed."""
    import snapshots
    from ministack.services import rds

    for name, it in rds._snapshots.items():
        if it["DBInstanceIdentifier"] == "orders-db":
            snapshots.change(name, status="failed")


def _nights():
    quarters = ("03:00", "03:15", "03:30")
    return Story(
        "two nights of backups, one of which fails", ("snapshot-databases",), _open_kitchen, [
            *sweeps("snapshot-databases", *(f"2026-11-20T{it}:00+09:00" for it in quarters)),
            Step("2026-11-20T03:40:00+09:00", do=_fail_snapshot),
            *sweeps("snapshot-databases", "2026-11-20T03:45:00+09:00", "2026-11-20T04:00:00+09:00"),
            *sweeps("snapshot-databases", *(f"2026-11-21T{it}:00+09:00" for it in quarters)),
            *sweeps("snapshot-databases", "2026-11-21T03:45:00+09:00", "2026-11-21T04:00:00+09:00", after=True),
        ],
        may_be_lost={"orders-db: nightshift-orders-db-2026-11-20 failed":
                     "RDS lets no two snapshots have a name, and renames none: the one that failed is deleted before it is "
                     "replaced, and nothing else knows that it failed"},
        may_differ={"nightshift-state:attempt": "the same: how often it failed is counted on the snapshot that failed"})


def _open_attic():
    world.database("kfood-db", {"nightshift:backup": "daily=2"})
    _earlier(*(f"2026-11-{day}" for day in range(14, 20)))
    world.snapshot("kfood-db", "before-the-migration", "2026-11-14T00:00:00Z", {})
    for version in range(1, 6):
        world.image("kfood-backend", f"v{version}")
    world.service("kfood-cluster", "kfood-backend", world.uri("kfood-backend", ":v1"), {})
    call("ecr", "TagResource", resourceArn=f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/kfood-backend",
         tags=[{"Key": "nightshift:keep-images", "Value": "count=2"}])


def _prune():
    return Story(
        "a prune of snapshots and images", ("prune-backups",), _open_attic, [
            *sweeps("prune-backups", *(f"2026-11-20T06:{it}:00+09:00" for it in ("00", "15"))),
            *sweeps("prune-backups", *(f"2026-11-20T06:{it}:00+09:00" for it in ("30", "45")), after=True),
        ])


# ------------------------------------------------------------------------------------------------ enforce-budget

_BUDGET = "TrueGul Monthly"


def _open_with_budget():
    world.image("truegul", "v1.0.0")
    image = world.uri("truegul", ":v1.0.0")
    tags = {"nightshift:budget": "sleep-at=100", "nightshift:schedule": "always"}
    world.service("truegul-staging", _API, image, tags)
    world.service("truegul-staging", "demo", image, {})
    call("budgets", "CreateBudget", AccountId=ACCOUNT,
         Budget={"BudgetName": _BUDGET, "BudgetType": "COST", "TimeUnit": "MONTHLY",
                 "BudgetLimit": {"Amount": "300", "Unit": "USD"},
                 "TimePeriod": {"Start": 1_767_225_600, "End": 3_706_473_600}},
         ResourceTags=[{"Key": "nightshift:budget", "Value": "enforce"}])


def _spent(actual):
    def change():
        import budgets

        budgets.change(_BUDGET, actual=actual, forecast="354")

    return change


def _month():
    def both(*moments, after=False):
        return [step for at in moments for name in ("enforce-budget", "scale-staging")
                for step in sweeps(name, at, after=after)]

    return Story(
        "a month of a budget", ("enforce-budget", "scale-staging"), _open_with_budget, [
            Step("2026-11-24T12:00:00+09:00", do=_spent("150")),
            *both("2026-11-24T12:17:00+09:00"),
            # A forecast that nobody was told of is told by the next run, unless the figures are others by then.
            *both("2026-11-24T18:17:00+09:00"),
            Step("2026-11-24T18:20:00+09:00", do=_spent("304.72")),
            *both("2026-11-25T00:17:00+09:00", "2026-11-25T06:17:00+09:00"),
            *both("2026-12-01T12:17:00+09:00", "2026-12-01T18:17:00+09:00"),
            *both("2026-12-02T00:17:00+09:00", "2026-12-02T06:17:00+09:00", after=True),
        ], environment={"NIGHTSHIFT_MAX_CHANGES": "50"},
        must_be_told=(f"{_BUDGET}: 118 % of 300 USD forecast", f"{_BUDGET}: 101 % of 300 USD spent"))


# ------------------------------------------------------------------------------------------------ remediate-alarm

_ALARMS = (("aws.cloudwatch", "CloudWatch Alarm State Change", {}, "remediate-alarm"), *_ROLLOUTS)


def _open_with_alarm(rule):
    def begin():
        _open_shop("semver range=1.x")
        query("monitoring", "PutMetricAlarm", {
            "AlarmName": "api-5xx", "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
            "Period": 60, "EvaluationPeriods": 5, "Threshold": 80, "ComparisonOperator": "GreaterThanThreshold",
            "Dimensions.member.1.Name": "ClusterName", "Dimensions.member.1.Value": _SHOP,
            "Dimensions.member.2.Name": "ServiceName", "Dimensions.member.2.Value": _API,
            "Tags.member.1.Key": "nightshift:remedy", "Tags.member.1.Value": rule})

    return begin


def _alarm_is(state):
    def change():
        query("monitoring", "SetAlarmState", {"AlarmName": "api-5xx", "StateValue": state,
                                              "StateReason": "42 datapoints were greater than 10"})

    return change


def _ladder():
    def moments(*minutes, after=False):
        return sweeps("remediate-alarm", *(f"2026-11-20T10:{it}:00Z" for it in minutes), after=after)

    return Story(
        "an alarm with its ladder", ("remediate-alarm",), _open_with_alarm("restart cooldown=10m then=notify"), [
            Step("2026-11-20T10:00:00Z", do=_alarm_is("ALARM")),
            *moments("05", "10", "15", "20"),
            Step("2026-11-20T10:22:00Z", do=_alarm_is("OK")),
            *moments("25"),
            *moments("30", "35", after=True),
            *sweeps("deploy-image", "2026-11-20T11:07:00Z", after=True),
        ], _ALARMS,
        may_be_lost={f"{_SHOP}/{_API}: api-5xx: restarting":
                     "the remedy is remembered before it is begun, since ECS restarts once more for each call and has no "
                     "token for it; what comes next is told: that the alarm recovered, or that it is left to a person"},
        may_be_fewer={"deployments of service api-server":
                      "a restart that fails is not tried again: the next step of the ladder is due"},
        overlapping={"deployments of service api-server":
                     "two runs that look in the same moment both restart, and so does a call that is made again since its "
                     "answer was lost; the second takes the place of the first"})


def _alarm_takes_back():
    def moments(function, *minutes, after=False):
        return sweeps(function, *(f"2026-11-20T10:{it}:00Z" for it in minutes), after=after)

    return Story(
        "an alarm that takes a deployment back", ("remediate-alarm", "deploy-image"),
        _open_with_alarm("rollback within=30m then=notify"), [
            Step("2026-11-20T10:00:00Z", do=_push("v1.1.0")),
            *moments("deploy-image", "07"),
            Step("2026-11-20T10:12:00Z", do=_alarm_is("ALARM")),
            *moments("remediate-alarm", "15"),
            *sweeps("deploy-image", "2026-11-20T11:07:00Z"),
            Step("2026-11-20T11:10:00Z", do=_alarm_is("OK")),
            *sweeps("remediate-alarm", "2026-11-20T11:15:00Z"),
            *sweeps("deploy-image", "2026-11-20T12:07:00Z", after=True),
            *sweeps("remediate-alarm", "2026-11-20T12:15:00Z", after=True),
            *sweeps("deploy-image", "2026-11-20T13:07:00Z", after=True),
        ], _ALARMS,
        may_be_lost={
            f"{_SHOP}/{_API}: api-5xx: rolling back": "`deploy-image` tells what it does about the request",
            f"{_SHOP}/{_API}: going back to v1.0.0 from v1.1.0": _GOING_BACK},
        at_most_once={
            "ecs:TagResource": "a remedy is tried once; that it failed is told, and it is left to a person",
            "cloudwatch:TagResource": "a remedy is remembered before it is begun, since without the memory it would be begun "
                                      "again and again; the next step of the ladder comes, or that the alarm recovered without"})


# ------------------------------------------------------------------------------------------------ drill-restores


def _open_drill():
    world.database("kfood-db", {
        "nightshift:drill": "monthly rto=4h rpo=24h check=kfood-drill service=kfood-cluster/kfood-backend"})
    _earlier("2026-11-26")
    world.image("kfood-backend", "v1")
    world.service("kfood-cluster", "kfood-backend", world.uri("kfood-backend", ":v1"), {})
    world.definition("kfood-drill", "check", world.uri("kfood-backend", ":v1"))


def _restored_and_checked():
    import restores
    import tasks
    from ministack.services import rds

    for name, it in rds._instances.items():
        if name.startswith("nightshift-drill-") and it["DBInstanceStatus"] == "creating":
            restores.change(name, "available")
    tasks.end("kfood-drill", 0)


_DRILLED = "kfood-db: restored in "


def _drill():
    def moments(*minutes, after=False):
        return sweeps("drill-restores", *(f"2026-11-27T10:{it}:00+09:00" for it in minutes), after=after)

    return Story("a restore drill", ("drill-restores",), _open_drill, [
        *moments("03", "13", "23", "33", "43"), *moments("53", "58", after=True),
    ], (("aws.ecs", "ECS Task State Change", {"lastStatus": ("STOPPED",)}, "drill-restores"),
        ("aws.rds", "RDS DB Instance Event", {}, "drill-restores")), _restored_and_checked,
        must_be_told=(_DRILLED,))


# ------------------------------------------------------------------------------------------------ copy-buckets

_UPLOADS, _COPIES = "kfood-uploads", "kfood-backups"


def _open_uploads():
    import jobs
    from ministack.services import s3

    jobs.SETTINGS.update(held=False, looks=1, failing={})
    for bucket in (_UPLOADS, _COPIES):
        s3._create_bucket(bucket, b"", {})
    for key in ("uploads/a.jpg", "uploads/b.jpg", "cache/x"):
        s3._put_object(_UPLOADS, key, b"an image", {})
    s3._bucket_tags[_UPLOADS] = {"nightshift:backup": f"last=1 to={_COPIES}/uploads prefix=uploads/"}


def _jobs(**settings):
    def change():
        import jobs

        jobs.SETTINGS.update(settings)

    return change


def _copies():
    def night(date, *moments, after=False):
        return sweeps("copy-buckets", *(f"2026-11-{date}T{it}:00+09:00" for it in moments), after=after)

    too_large = {"uploads/b.jpg": ("EntityTooLarge", 400)}
    return Story(
        "nights of a bucket, one of which fails", ("copy-buckets",), _open_uploads, [
            *night("20", "03:08", "03:23", "03:38"),
            Step("2026-11-21T03:00:00+09:00", do=_jobs(failing=too_large)),
            *night("21", "03:08", "03:23", "03:38"),
            Step("2026-11-21T09:00:00+09:00", do=_jobs(failing={})),
            Step("2026-11-21T09:01:00+09:00", "copy-buckets", {"copy": {"bucket": _UPLOADS}}, person=True),
            *night("21", "09:08", "09:23"),
            *night("21", "09:38", "09:53", after=True),
        ], environment={
            "NIGHTSHIFT_BACKUP_BUCKETS": f"arn:aws:s3:::{_UPLOADS}", "NIGHTSHIFT_BACKUP_TARGETS": f"arn:aws:s3:::{_COPIES}",
            "NIGHTSHIFT_COPY_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/nightshift-CopyJobRole"})


def _open_versions():
    import jobs
    from ministack.services import s3

    _open_uploads()
    s3._bucket_tags[_UPLOADS] = {"nightshift:backup": "days=30 mode=versions prefix=uploads/"}
    s3._put_bucket_versioning(_UPLOADS, b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    rule = ("<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>"
            "<NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration></Rule>"
            "</LifecycleConfiguration>")
    s3._put_bucket_lifecycle(_UPLOADS, rule.encode())
    for key, text in (("uploads/a.jpg", b"the first a"), ("uploads/b.jpg", b"the first b")):
        s3._put_object(_UPLOADS, key, text, {})
        jobs.written_at(_UPLOADS, key, "2026-11-20T00:00:00.000Z")


def _accident():
    import jobs
    from ministack.services import s3

    s3._put_object(_UPLOADS, "uploads/a.jpg", b"broken", {})
    jobs.written_at(_UPLOADS, "uploads/a.jpg", "2026-11-21T01:00:00.000Z")


_BUCKETS = {
    "NIGHTSHIFT_BACKUP_BUCKETS": f"arn:aws:s3:::{_UPLOADS}", "NIGHTSHIFT_BACKUP_TARGETS": f"arn:aws:s3:::{_COPIES}",
    "NIGHTSHIFT_DRILL_BUCKETS": "true", "NIGHTSHIFT_COPY_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/nightshift-CopyJobRole"}


def _restored():
    def day(*moments, after=False):
        return sweeps("copy-buckets", *(f"2026-11-21T{it}:00+09:00" for it in moments), after=after)

    restore = {"restore": {"bucket": _UPLOADS, "at": "2026-11-21T09:59", "to": f"{_COPIES}/restored"}}
    return Story(
        "a bucket restored to a moment from old versions", ("copy-buckets",), _open_versions, [
            *day("09:08"),
            Step("2026-11-21T10:00:00+09:00", do=_accident),
            Step("2026-11-21T11:00:00+09:00", "copy-buckets", restore, person=True),
            *day("11:08", "11:23"),
            *day("11:38", "11:53", after=True),
        ], environment=_BUCKETS, must_be_told=(f"{_UPLOADS}: 2 objects restored to",))


def _open_bucket_drill():
    import jobs
    from ministack.services import s3

    _open_uploads()
    s3._bucket_tags[_UPLOADS]["nightshift:drill"] = "weekly"
    for key in ("uploads/a.jpg", "uploads/b.jpg"):
        jobs.written_at(_UPLOADS, key, "2026-11-20T00:00:00.000Z")


def _bucket_drill():
    def day(*moments, after=False):
        return sweeps("copy-buckets", *(f"2026-11-23T{it}:00+09:00" for it in moments), after=after)

    return Story(
        "a drill of a bucket", ("copy-buckets",), _open_bucket_drill, [
            *day("03:08", "03:23", "10:08", "10:23"),
            *day("10:38", "10:53", "11:08", after=True),
        ], environment=_BUCKETS, must_be_told=(f"{_UPLOADS}: the copy ",))


# ------------------------------------------------------------------------------------------------ press-button


def _button(name):
    """What a person sends who presses the newest button of this name."""
    return lambda: {"b": emulator.buttons[name]}


def _buttons():
    one = "2026-11-20T"
    return Story(
        "buttons that let an image out and back", ("press-button", "deploy-image"),
        lambda: _open_shop("semver range=1.x approval=manual"), [
            Step(one + "10:00:00Z", do=_push("v1.1.0")),
            *sweeps("deploy-image", one + "10:07:00Z"),
            Step(one + "10:20:00Z", "press-button", _button("approve"), person=True),
            *sweeps("deploy-image", one + "11:07:00Z"),
            Step(one + "11:20:00Z", "press-button", _button("rollback"), person=True),
            *sweeps("deploy-image", one + "12:07:00Z"),
            *sweeps("deploy-image", one + "13:07:00Z", one + "14:07:00Z", after=True),
        ], _ROLLOUTS)


# ------------------------------------------------------------------------------------------------ report-operations


def _reports():
    return Story(
        "a daily and a weekly report", ("report-operations",), _open_staging, [
            Step("2026-11-20T09:00:00+09:00", "report-operations", {"report": "day"}),
            Step("2026-11-23T09:00:00+09:00", "report-operations", {"report": "week"}),
        ])


ALL = [_deploy_with_gates(), _roll_back(), _canary(), _blue_green(), _compose(), _weekend(), _machines(), _nights(), _prune(),
       _month(), _ladder(), _alarm_takes_back(), _drill(), _copies(), _bucket_drill(), _restored(), _buttons(), _reports()]
