# The parameters of template.yaml. A test holds this file to be what the template says, word by word.

variable "alarm_sweep" {
  description = "When remediate-alarm looks at every tagged alarm: no alarm fires again while it is in ALARM, so the next step of a ladder waits for this."
  type        = string
  default     = "cron(2/10 * * * ? *)"
  nullable    = false

  validation {
    condition     = can(regex("^cron\\([^()]+\\)$", var.alarm_sweep))
    error_message = "Must be a cron expression of EventBridge Scheduler, such as cron(2/10 * * * ? *)."
  }
}

variable "alarm_topic_arn" {
  description = "A topic of yours that alarms publish to. It is not needed: EventBridge delivers every alarm. Not the topic of this stack."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:sns:[a-z0-9-]+:\\d{12}:[\\w-]+$", var.alarm_topic_arn))
    error_message = "Must be the ARN of an SNS topic, or empty."
  }
}

variable "architecture" {
  description = "The processor that the functions are built for. arm64 is the cheaper one."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Must be one of arm64, x86_64."
  }
}

variable "backup_buckets" {
  description = "The buckets that copy-buckets may copy, as ARNs separated by commas: those that carry nightshift:backup. IAM has to name them, since conditions on tags of buckets do nothing by default."
  type        = list(string)
  default     = ["none"]
  nullable    = false

  validation {
    condition     = alltrue([for it in var.backup_buckets : can(regex("^none$|^arn:aws[a-z-]*:s3:::[a-z0-9.-]{3,63}$", it))])
    error_message = "Must be the word none, or ARNs of buckets such as arn:aws:s3:::kfood-uploads, separated by commas without spaces."
  }
}

variable "backup_targets" {
  description = "The buckets that the option to= of nightshift:backup may name, as ARNs separated by commas. Only folders called after a date are written to and deleted from. Leave a bucket here as long as copies are in it, so that they are pruned."
  type        = list(string)
  default     = ["none"]
  nullable    = false

  validation {
    condition     = alltrue([for it in var.backup_targets : can(regex("^none$|^arn:aws[a-z-]*:s3:::[a-z0-9.-]{3,63}$", it))])
    error_message = "Must be the word none, or ARNs of buckets such as arn:aws:s3:::kfood-backups, separated by commas without spaces."
  }
}

variable "budget_amount" {
  description = "What the account may cost in a month, in BudgetCurrency. The stack creates a budget of this amount that is enforced: you are told at 80 % of the forecast, at 80 % and at 100 % of what is spent, and what you tagged as expendable then sleeps until the month ends. Credits and refunds are left out, since they would hide what is spent. 0 means no budget."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.budget_amount >= 0
    error_message = "Must be at least 0."
  }
}

variable "budget_currency" {
  description = "The currency of BudgetAmount. It must be the one that AWS bills the account in, or the figures cannot be compared."
  type        = string
  default     = "USD"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Z]{3}$", var.budget_currency))
    error_message = "Must be the three letters of the currency that AWS bills the account in, such as USD or CNY."
  }
}

variable "copy_at" {
  description = "From when on buckets are copied, in the stack's time zone. What was not copied then is copied later on the same day."
  type        = string
  default     = "03:00"
  nullable    = false

  validation {
    condition     = can(regex("^([01]\\d|2[0-3]):[0-5]\\d$", var.copy_at))
    error_message = "Must be a time of the day such as 03:00."
  }
}

variable "copy_regions" {
  description = "Regions that the options copy= of nightshift:backup and region= of nightshift:drill may name, separated by spaces, four at most. Encrypted snapshots need a KMS key of the region, as in us-west-2=arn:aws:kms:us-west-2:123456789012:key/1234. Leave a region here as long as copies or drills are in it, so that they are deleted."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|^[a-z]+(-[a-z]+)+-\\d+(=arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+)?( [a-z]+(-[a-z]+)+-\\d+(=arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+)?){0,3}$", var.copy_regions))
    error_message = "Must be at most four regions separated by single spaces, each alone or as region=ARN of a KMS key (not of an alias, because IAM grants keys only), or empty."
  }
}

variable "dashboard" {
  description = "With true a CloudWatch dashboard shows the board (what needs you, images, the next 24 hours, backups, money, alarms) and Nightshift's own runs."
  type        = bool
  default     = false
  nullable    = false
}

variable "drill_at" {
  description = "From when on restore drills begin, in the stack's time zone: on the first weekday of the period that nightshift:drill names, or on the weekdays after it, within six hours."
  type        = string
  default     = "10:00"
  nullable    = false

  validation {
    condition     = can(regex("^([01]\\d|2[0-3]):[0-5]\\d$", var.drill_at))
    error_message = "Must be a time of the day such as 10:00."
  }
}

variable "drill_buckets" {
  description = "With true copy-buckets may read objects of BackupBuckets and BackupTargets, which the drills of nightshift:drill on a bucket need."
  type        = bool
  default     = false
  nullable    = false
}

variable "dry_run" {
  description = "With true every function only plans and logs what it would do. Nothing is changed."
  type        = bool
  default     = false
  nullable    = false
}

variable "email" {
  description = "Where messages go. AWS sends a link there that must be confirmed once. Empty means that you subscribe to the topic yourself."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|^[^@\\s,]+@[^@\\s,]+\\.[^@\\s,]+$", var.email))
    error_message = "Must be one e-mail address, or empty."
  }
}

variable "freeze" {
  description = "A time in which deploy-image deploys nothing, in the stack's time zone, as FROM/TO. A date stands for the whole day. Ways back never wait."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2})?/\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2})?)?$", var.freeze))
    error_message = "Must be FROM/TO, such as 2026-12-20/2027-01-03 or 2026-12-18T18:00/2027-01-04T09:00, or empty."
  }
}

variable "holidays" {
  description = "Days on which no window of a schedule or of deployments starts, separated by spaces. One is a date such as 2026-12-25, a day of every year such as 12-25, or a range such as 2026-12-24..2027-01-02."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^((\\d{4}-)?\\d{2}-\\d{2}(\\.\\.(\\d{4}-)?\\d{2}-\\d{2})?( (\\d{4}-)?\\d{2}-\\d{2}(\\.\\.(\\d{4}-)?\\d{2}-\\d{2})?)*)?$", var.holidays))
    error_message = "Must be dates such as 2026-12-25, 12-25 or 2026-12-24..2027-01-02, separated by single spaces and not by commas, or empty."
  }
}

variable "keep_shared" {
  description = "With true each snapshot is asked before it is deleted whether it is shared, and stays if so. That is one more call for each."
  type        = bool
  default     = true
  nullable    = false
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the logs of the functions."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "max_changes" {
  description = "A plan with more changes than this is refused as a whole, and you are told."
  type        = number
  default     = 500
  nullable    = false

  validation {
    condition     = var.max_changes >= 1
    error_message = "Must be at least 1."
  }

  validation {
    condition     = var.max_changes <= 10000
    error_message = "Must be at most 10000."
  }
}

variable "max_drills" {
  description = "How many databases drill-restores may have restored at once. Each costs what an instance of its class costs for an hour or a few."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.max_drills >= 1
    error_message = "Must be at least 1."
  }

  validation {
    condition     = var.max_drills <= 20
    error_message = "Must be at most 20."
  }
}

variable "max_remedies" {
  description = "No more remedies than this start within an hour, over all alarms of the account. Further alarms are left to you, and you are told."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.max_remedies >= 1
    error_message = "Must be at least 1."
  }

  validation {
    condition     = var.max_remedies <= 1000
    error_message = "Must be at most 1000."
  }
}

variable "pays_for_others" {
  description = "Whether this account pays for others, as the management account of an organization does. Then the stack's budget counts what this account alone costs; otherwise it would count them all."
  type        = bool
  default     = false
  nullable    = false
}

variable "preflight" {
  description = "With true deploy-image may look whether the roles, secrets, parameters and log groups of a task definition exist. It never reads a value."
  type        = bool
  default     = true
  nullable    = false
}

variable "prune_schedule" {
  description = "When prune-backups runs, in the stack's time zone. Once a day, after the snapshots."
  type        = string
  default     = "cron(30 6 * * ? *)"
  nullable    = false

  validation {
    condition     = can(regex("^cron\\([^()]+\\)$", var.prune_schedule))
    error_message = "Must be a cron expression of EventBridge Scheduler, such as cron(0/15 3-5 * * ? *)."
  }
}

variable "report_at" {
  description = "When the reports are sent, in the stack's time zone; the weekly one on Mondays, the monthly one on the first."
  type        = string
  default     = "09:00"
  nullable    = false

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.report_at))
    error_message = "Must be a time such as 09:00."
  }
}

variable "reports" {
  description = "Which reports are sent, of day, week and month; none for no report. The report of a day holds what Routine leaves to it."
  type        = string
  default     = "day week month"
  nullable    = false

  validation {
    condition     = can(regex("^(none|(day|week|month)( (day|week|month)){0,2})$", var.reports))
    error_message = "Must be one or more of the words day, week and month, separated by single spaces, or the word none."
  }
}

variable "slo" {
  description = "How many percent of requests should be answered without an error of the server; the reports hold the availability against it."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|^([1-9][0-9]?(\\.[0-9]{1,3})?|100)$", var.slo))
    error_message = "Must be a percentage such as 99.9, or nothing."
  }
}

variable "routine" {
  description = "How you are told what happens every day (sleep and wake, snapshots, deletions, a deployment that begins): each as a message, in one report a day (with day among Reports), or not at all. So is an image that is live in production without anybody having been asked, but without the report of the day it is told at once, as is always what needs you, what failed and what else changed in production."
  type        = string
  default     = "daily"
  nullable    = false

  validation {
    condition     = contains(["daily", "each", "none"], var.routine)
    error_message = "Must be one of daily, each, none."
  }
}

variable "runbook_base" {
  description = "Where you keep what to do, such as https://wiki.example/runbooks: messages that need you or tell of a failure link to the page /PROBLEM there, unless the resource names a page of its own. With {function}, {problem} or {name} in it, these are replaced and nothing is added."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|^https://[A-Za-z0-9.-]+\\.[A-Za-z]+(:\\d+)?(/[A-Za-z0-9._~/!$&()*+,;=%:@-]*)?$|^https://[A-Za-z0-9.-]+\\.[A-Za-z]+(:\\d+)?/[?#A-Za-z0-9._~/!$&()*+,;=%:@-]*(\\{(function|problem|name)\\}[?#A-Za-z0-9._~/!$&()*+,;=%:@-]*)+$", var.runbook_base))
    error_message = "Must be an https address, in which only {function}, {problem} and {name} may stand in braces, or empty."
  }

  validation {
    condition     = length(var.runbook_base) <= 200
    error_message = "Must have at most 200 characters."
  }
}

variable "schedules" {
  description = "Schedules that tags can name instead of spelling them out, as NAME=WHEN separated by semicolons, such as office=mon-fri 08:00-20:00."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^( *[A-Za-z][A-Za-z0-9_-]* *=[^;]+(; *|$))*$", var.schedules))
    error_message = "Must be NAME=WHEN, separated by semicolons, such as office=mon-fri 08:00-20:00; demo=mon-fri 13:00-15:00, or empty."
  }

  validation {
    condition     = length(var.schedules) <= 2000
    error_message = "Must have at most 2000 characters."
  }
}

variable "schedule_roles" {
  description = "The roles with which your schedules of EventBridge Scheduler run. Whoever changes a schedule hands its role on, which IAM has to allow."
  type        = list(string)
  default     = ["none"]
  nullable    = false

  validation {
    condition     = alltrue([for it in var.schedule_roles : can(regex("^none$|^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=.@*/-]+$", it))])
    error_message = "Must be the word none, or IAM role ARNs (the name may hold *) separated by commas without spaces."
  }
}

variable "sleep_notice" {
  description = "How long before a sleep that people may not expect they are told of it, such as 15m; the first one, or the end of a boost or of awake-until."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = can(regex("^(none|[1-5]\\dm|60m)$", var.sleep_notice))
    error_message = "Must be 10m to 60m, or none."
  }
}

variable "snapshot_schedule" {
  description = "When snapshot-databases runs, in the stack's time zone. The first run of the night takes the snapshots, the others those that were not possible then, and the copies."
  type        = string
  default     = "cron(0/15 3-5 * * ? *)"
  nullable    = false

  validation {
    condition     = can(regex("^cron\\([^()]+\\)$", var.snapshot_schedule))
    error_message = "Must be a cron expression of EventBridge Scheduler, such as cron(0/15 3-5 * * ? *)."
  }
}

variable "task_role_arns" {
  description = "The task roles and execution roles that your task definitions name, as ARNs separated by commas. A new revision hands them on to ECS, which IAM has to allow. The word any stands for every role of this account that ECS tasks can assume."
  type        = list(string)
  default     = ["any"]
  nullable    = false

  validation {
    condition     = alltrue([for it in var.task_role_arns : can(regex("^any$|^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=.@*/-]+$", it))])
    error_message = "Must be the word any, or IAM role ARNs (the name may hold *) separated by commas without spaces."
  }
}

variable "time_zone" {
  description = "The IANA time zone that schedules, dates and messages are in, such as Asia/Seoul."
  type        = string
  default     = "UTC"
  nullable    = false

  validation {
    condition     = can(regex("^(UTC|GMT|[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)+)$", var.time_zone))
    error_message = "Must be an IANA time zone such as Asia/Seoul, Europe/Berlin or UTC, not an abbreviation such as KST or PST."
  }

  validation {
    condition     = length(var.time_zone) <= 50
    error_message = "Must have at most 50 characters."
  }
}

locals {
  parameters = {
    AlarmSweep       = var.alarm_sweep
    AlarmTopicArn    = var.alarm_topic_arn
    Architecture     = var.architecture
    BackupBuckets    = join(",", var.backup_buckets)
    BackupTargets    = join(",", var.backup_targets)
    BudgetAmount     = tostring(var.budget_amount)
    BudgetCurrency   = var.budget_currency
    CopyAt           = var.copy_at
    CopyRegions      = var.copy_regions
    Dashboard        = tostring(var.dashboard)
    DrillAt          = var.drill_at
    DrillBuckets     = tostring(var.drill_buckets)
    DryRun           = tostring(var.dry_run)
    Email            = var.email
    Freeze           = var.freeze
    Holidays         = var.holidays
    KeepShared       = tostring(var.keep_shared)
    LogRetentionDays = tostring(var.log_retention_days)
    MaxChanges       = tostring(var.max_changes)
    MaxDrills        = tostring(var.max_drills)
    MaxRemedies      = tostring(var.max_remedies)
    PaysForOthers    = tostring(var.pays_for_others)
    Preflight        = tostring(var.preflight)
    PruneSchedule    = var.prune_schedule
    ReportAt         = var.report_at
    Reports          = var.reports
    Slo              = var.slo
    Routine          = var.routine
    RunbookBase      = var.runbook_base
    Schedules        = var.schedules
    ScheduleRoles    = join(",", var.schedule_roles)
    SleepNotice      = var.sleep_notice
    SnapshotSchedule = var.snapshot_schedule
    TaskRoleArns     = join(",", var.task_role_arns)
    TimeZone         = var.time_zone
  }
}
