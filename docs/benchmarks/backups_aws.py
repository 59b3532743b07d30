"""As much of RDS as backups.py needs, quick enough not to be what is measured: run by it, in a process of its own.

Every answer comes after a fixed time.
XML is written once for each database and snapshot, and a call costs little more than finding the end of its request.
`POST /-/seed` empties and fills it, `POST /-/stats` says what was called and what is left.
"""
import asyncio
import bisect
import json
import random
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote_plus

ACCOUNT, REGION = "123456789012", "us-east-1"
NO_ID = "00000000-0000-0000-0000-000000000000"
HTTP = "HTTP/1.1 {}\r\nContent-Type: {}\r\nx-amzn-RequestId: " + NO_ID + "\r\nContent-Length: {}\r\n\r\n"


def answer(body, status="200 OK", kind="text/xml"):
    body = body.encode()
    return HTTP.format(status, kind, len(body)).encode() + body


def result(action, body):
    return answer(
        f'<{action}Response xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><{action}Result>{body}</{action}Result>'
        f"<ResponseMetadata><RequestId>{NO_ID}</RequestId></ResponseMetadata></{action}Response>"
    )


def refusal(code, message, status="400 Bad Request"):
    return answer(
        '<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">'
        f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{NO_ID}</RequestId></ErrorResponse>",
        status,
    )


THROTTLED = refusal("Throttling", "Rate exceeded")
NO_SNAPSHOT = refusal("DBSnapshotNotFound", "there is no such snapshot", "404 Not Found")
NO_DATABASE = refusal("DBInstanceNotFound", "there is no such instance", "404 Not Found")
STUCK = refusal("InvalidDBSnapshotState", "the snapshot is in a state in which it cannot be deleted")
TAKEN = refusal("DBSnapshotAlreadyExists", "there is a snapshot of this name")
# Not of RDS, and not limited by its bucket.
ELSEWHERE = {"GetCallerIdentity", "GetResources", "DescribeKey"}
# The account's default key of RDS, by which the console encrypts whatever it makes.
DEFAULT_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def tags_xml(tags):
    return "<TagList>" + "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in tags) + "</TagList>"


def database_xml(name, tags):
    created = datetime.now(timezone.utc) - timedelta(days=400)
    return (
        f"<DBInstance><DBInstanceIdentifier>{name}</DBInstanceIdentifier><DBInstanceClass>db.t4g.micro</DBInstanceClass>"
        "<Engine>postgres</Engine><EngineVersion>16.4</EngineVersion><DBInstanceStatus>available</DBInstanceStatus>"
        "<MasterUsername>root</MasterUsername><AllocatedStorage>20</AllocatedStorage><MultiAZ>false</MultiAZ>"
        f"<InstanceCreateTime>{created:%Y-%m-%dT%H:%M:%S}.000Z</InstanceCreateTime>"
        f"<DbiResourceId>{resource_id(name)}</DbiResourceId><StorageEncrypted>false</StorageEncrypted>"
        f"<DBInstanceArn>arn:aws:rds:{REGION}:{ACCOUNT}:db:{name}</DBInstanceArn>{tags_xml(tags)}</DBInstance>"
    )


def snapshot_xml(name, database, taken, tags, status="available", encrypted=True):
    when = f"{taken:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    times = f"<SnapshotCreateTime>{when}</SnapshotCreateTime><OriginalSnapshotCreateTime>{when}</OriginalSnapshotCreateTime>"
    encryption = f"<Encrypted>true</Encrypted><KmsKeyId>{DEFAULT_KEY}</KmsKeyId>" if encrypted else "<Encrypted>false</Encrypted>"
    return (
        f"<DBSnapshot><DBSnapshotIdentifier>{name}</DBSnapshotIdentifier><DBInstanceIdentifier>{database}</DBInstanceIdentifier>"
        f"{times if status == 'available' else ''}<Engine>postgres</Engine><EngineVersion>16.4</EngineVersion>"
        f"<AllocatedStorage>20</AllocatedStorage><Status>{status}</Status><Port>5432</Port><LicenseModel>postgresql-license</LicenseModel>"
        "<AvailabilityZone>us-east-1a</AvailabilityZone><VpcId>vpc-0123456789abcdef0</VpcId><MasterUsername>root</MasterUsername>"
        "<SnapshotType>manual</SnapshotType><OptionGroupName>default:postgres-16</OptionGroupName>"
        f"<PercentProgress>{100 if status == 'available' else 0}</PercentProgress><StorageType>gp3</StorageType>"
        f"{encryption}"
        f"<DBSnapshotArn>arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:{name}</DBSnapshotArn>"
        f"<IAMDatabaseAuthenticationEnabled>false</IAMDatabaseAuthenticationEnabled>"
        f"<DbiResourceId>{resource_id(database)}</DbiResourceId>{tags_xml(tags)}</DBSnapshot>"
    )


def resource_id(database):
    return "db-" + database.upper().replace("-", "")


class Aws:
    def __init__(self):
        self.seed({})

    def seed(self, wish):
        """Databases with the tag, each with snapshots spread over `days`; the newest is always younger than three days.

        Those of every second database lie half a step apart from the others'.
        """
        rng, now = random.Random(1), datetime.now(timezone.utc)
        count, days, every = wish.get("databases", 0), wish.get("days", 400), wish.get("snapshots", 0)
        self.latency = wish.get("latency", 0.02)
        self.databases, self.snapshots = {}, {}
        due, number = [], 0
        for k in range(count):
            database = f"db-{k:0{len(str(count - 1))}d}"
            self.databases[database] = database_xml(database, [("nightshift:backup", "days=30"), ("team", "shop")])
            here = every // count
            step = days / max(1, here)
            for i in range(here):
                age = step * (i + (0.2 if k % 2 else 0.7) + 0.1 * rng.random())
                newest = wish.get("newest_days", 2 + rng.random() / 2)
                age = min(age, newest) if i == 0 else age
                taken = now - timedelta(days=age)
                name = f"nightshift-{database}-{taken:%Y-%m-%d}-{number:05d}"
                number += 1
                tags = [("made-by", "snapshot-databases"), ("database", database), ("backup", "days=30")]
                tags = [(f"nightshift-state:{key}", value) for key, value in tags]
                self.snapshots[name] = snapshot_xml(name, database, taken, tags, encrypted=wish.get("encrypted", True))
                if age > 30:
                    due.append(name)
        self.names = {"DBInstance": sorted(self.databases), "DBSnapshot": sorted(self.snapshots)}
        self.stuck = set(rng.sample(due, wish.get("stuck", 0)))
        self.lost = set(rng.sample(due, round(len(due) * wish.get("lost", 0))))
        self.rate, self.burst = wish.get("rate"), wish.get("burst", 0)
        self.tokens, self.filled = float(self.burst), time.monotonic()
        self.calls, self.throttled, self.unknown, self.cut = Counter(), Counter(), Counter(), 0
        return {"due": due, "names": self.names["DBSnapshot"][:], "stuck": sorted(self.stuck), "lost": len(self.lost)}

    def stats(self, _):
        counters = {"calls": self.calls, "throttled": self.throttled, "unknown": self.unknown}
        return {**counters, "cut": self.cut, "names": self.names["DBSnapshot"]}

    def let_in(self):
        if self.rate is None:
            return True
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def call(self, action, fields):
        """The answer's bytes, or None where the connection is cut instead."""
        if action not in ELSEWHERE and not self.let_in():
            self.throttled[action] += 1
            return THROTTLED
        self.calls[action] += 1
        does = getattr(self, action, None)
        if does is None:
            self.unknown[action] += 1
            return refusal("InvalidAction", f"{action} is not emulated")
        return does(fields)

    def page(self, action, noun, table, fields):
        size = int(fields.get("MaxRecords", 100))
        if not 20 <= size <= 100:
            return refusal("InvalidParameterValue", f"Invalid value {size} for MaxRecords. Must be between 20 and 100")
        names = self.names[noun]
        # The marker names the last one seen, so that deletions between two pages skip nothing.
        begin = bisect.bisect_right(names, fields["Marker"]) if fields.get("Marker") else 0
        found = names[begin : begin + size]
        marker = f"<Marker>{found[-1]}</Marker>" if begin + size < len(names) else ""
        return result(action, f"{marker}<{noun}s>{''.join(table[it] for it in found)}</{noun}s>")

    def DescribeDBInstances(self, fields):
        return self.page("DescribeDBInstances", "DBInstance", self.databases, fields)

    def DescribeDBSnapshots(self, fields):
        name = fields.get("DBSnapshotIdentifier")
        if name is None:
            return self.page("DescribeDBSnapshots", "DBSnapshot", self.snapshots, fields)
        if name not in self.snapshots:
            return NO_SNAPSHOT
        return result("DescribeDBSnapshots", f"<DBSnapshots>{self.snapshots[name]}</DBSnapshots>")

    def DescribeAccountAttributes(self, _):
        """Without a quota there is room for all of them."""
        return result("DescribeAccountAttributes", "<AccountQuotas></AccountQuotas>")

    def DescribeDBClusters(self, _):
        return result("DescribeDBClusters", "<DBClusters/>")

    def DescribeDBClusterSnapshots(self, _):
        return result("DescribeDBClusterSnapshots", "<DBClusterSnapshots/>")

    def DescribeDBSnapshotAttributes(self, fields):
        name = fields["DBSnapshotIdentifier"]
        if name not in self.snapshots:
            return NO_SNAPSHOT
        restore = "<DBSnapshotAttribute><AttributeName>restore</AttributeName><AttributeValues/></DBSnapshotAttribute>"
        body = f"<DBSnapshotIdentifier>{name}</DBSnapshotIdentifier><DBSnapshotAttributes>{restore}</DBSnapshotAttributes>"
        wrapped = f"<DBSnapshotAttributesResult>{body}</DBSnapshotAttributesResult>"
        return result("DescribeDBSnapshotAttributes", wrapped)

    def DeleteDBSnapshot(self, fields):
        name = fields["DBSnapshotIdentifier"]
        if name not in self.snapshots:
            return NO_SNAPSHOT
        if name in self.stuck:
            return STUCK
        xml = self.snapshots.pop(name)
        names = self.names["DBSnapshot"]
        del names[bisect.bisect_left(names, name)]
        if name in self.lost:
            self.cut += 1
            return None
        return result("DeleteDBSnapshot", xml)

    def CreateDBSnapshot(self, fields):
        name, database = fields["DBSnapshotIdentifier"], fields["DBInstanceIdentifier"]
        if database not in self.databases:
            return NO_DATABASE
        if name in self.snapshots:
            return TAKEN
        tags = []
        while (key := fields.get(f"Tags.Tag.{len(tags) + 1}.Key")) is not None:
            tags.append((unquote_plus(key), unquote_plus(fields.get(f"Tags.Tag.{len(tags) + 1}.Value", ""))))
        xml = self.snapshots[name] = snapshot_xml(name, database, datetime.now(timezone.utc), tags, "creating")
        bisect.insort(self.names["DBSnapshot"], name)
        return result("CreateDBSnapshot", xml)

    def AddTagsToResource(self, _):
        return result("AddTagsToResource", "")

    def RemoveTagsFromResource(self, _):
        return result("RemoveTagsFromResource", "")

    def GetCallerIdentity(self, _):
        arn = f"arn:aws:iam::{ACCOUNT}:user/benchmark"
        return result("GetCallerIdentity", f"<Arn>{arn}</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account>")

    def DescribeKey(self, _):
        body = json.dumps({"KeyMetadata": {"KeyId": DEFAULT_KEY.rpartition("/")[2], "Arn": DEFAULT_KEY, "KeyManager": "AWS"}})
        return answer(body, kind="application/x-amz-json-1.1")

    def GetResources(self, _):
        body = json.dumps({"PaginationToken": "", "ResourceTagMappingList": []})
        return answer(body, kind="application/x-amz-json-1.1")


class Connection(asyncio.Protocol):
    def __init__(self, aws, loop):
        self.aws, self.loop, self.buffer = aws, loop, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"\r\ncontent-length:")
            length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            line = self.buffer[: self.buffer.find(b"\r\n")]
            head, self.buffer = self.buffer[:end], self.buffer[end + 4 + length :]
            self.request(line, head, body.decode())

    def request(self, line, head, body):
        if line.startswith(b"POST /-/"):
            control = {b"seed": self.aws.seed, b"stats": self.aws.stats}[line[8:].split(b" ")[0]]
            said = json.dumps(control(json.loads(body or "{}")))
            self.transport.write(answer(said, kind="application/json"))
            return
        if body.startswith("Action="):
            fields = dict(it.split("=", 1) for it in body.split("&"))
            action = fields["Action"]
        else:
            at = head.lower().find(b"x-amz-target:")
            target = head[at:].split(b"\r\n", 1)[0].decode() if at >= 0 else line.decode()
            fields, action = {}, target.rpartition(".")[2]
        said = self.aws.call(action, fields)
        if said is None:
            self.loop.call_later(self.aws.latency, self.transport.abort)
        else:
            self.loop.call_later(self.aws.latency, self.transport.write, said)


async def main():
    loop, aws = asyncio.get_running_loop(), Aws()
    server = await loop.create_server(lambda: Connection(aws, loop), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    # It ends with whoever started it, at the latest.
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
