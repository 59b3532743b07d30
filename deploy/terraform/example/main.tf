# How the teams that share an account tag what is theirs. Only what Nightshift looks at is written out; the lines with
# "…" stand for the rest of the resource.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region = "ap-northeast-2"

  # What Nightshift remembers.
  ignore_tags {
    key_prefixes = ["nightshift-state:"]
  }
}

module "nightshift" {
  source    = "../"
  dry_run   = true
  time_zone = "Asia/Seoul"
  email     = "ops@example.com"
}

variable "revisions" {
  description = "The task definition of each service, as it is at its creation."
  type        = map(string)
}

variable "database_password" {
  description = "For the databases of this example."
  type        = string
  sensitive   = true
}

# TrueGul: versions, and a migration before each of them.
resource "aws_ecs_service" "truegul_api_server" {
  name            = "api-server"
  cluster         = "truegul-production"
  task_definition = var.revisions["truegul-api-server"]
  desired_count   = 2
  # …

  tags = {
    "nightshift:deploy" = "semver range=1.x migrate=truegul-production-migrate config=newest"
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}

resource "aws_cloudwatch_metric_alarm" "truegul_api_server_5xx" {
  alarm_name          = "api-server-5xx"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 10
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  dimensions          = { TargetGroup = "targetgroup/truegul-api/0123456789abcdef", LoadBalancer = "app/truegul/0123456789abcdef" }

  tags = {
    "nightshift:remedy" = "restart then=rollback then=notify"
  }
}

# CodeMate: what is pushed runs in dev at once, and dev sleeps at night. Production waits for a person.
resource "aws_ecs_service" "codemate_dev_backend" {
  name            = "codemate-backend"
  cluster         = "codemate-dev"
  task_definition = var.revisions["codemate-backend"]
  desired_count   = 1
  # …

  tags = {
    "nightshift:deploy"   = "newest"
    "nightshift:schedule" = "mon-fri 08:00-20:00 after=codemate-dev-db"
    "nightshift:budget"   = "sleep-at=100"
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}

resource "aws_appautoscaling_target" "codemate_dev_backend" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/codemate-dev/${aws_ecs_service.codemate_dev_backend.name}"
  min_capacity       = 1
  max_capacity       = 2

  lifecycle {
    ignore_changes = [min_capacity, max_capacity, suspended_state]
  }
}

resource "aws_db_instance" "codemate_dev" {
  identifier        = "codemate-dev-db"
  engine            = "postgres"
  instance_class    = "db.t4g.micro"
  allocated_storage = 20
  username          = "codemate"
  password          = var.database_password
  # …

  tags = {
    "nightshift:schedule" = "mon-fri 08:00-20:00"
    "nightshift:backup"   = "days=3"
  }
}

resource "aws_ecs_service" "codemate_production_backend" {
  name            = "codemate-backend"
  cluster         = "codemate-production"
  task_definition = var.revisions["codemate-backend"]
  desired_count   = 2
  # …

  tags = {
    "nightshift:deploy" = "newest approval=manual snapshot=codemate-db"
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}

resource "aws_ecr_repository" "codemate_backend" {
  name                 = "codemate-backend"
  image_tag_mutability = "IMMUTABLE"

  tags = {
    "nightshift:keep-images" = "count=10"
  }
}

# K-Food Shorts: CodeDeploy moves the traffic, and every backup has a copy in another region.
resource "aws_ecs_service" "kfood_backend" {
  name            = "kfood-backend"
  cluster         = "kfood-cluster"
  task_definition = var.revisions["kfood-backend"]
  desired_count   = 2
  # …

  deployment_controller {
    type = "CODE_DEPLOY"
  }

  tags = {
    "nightshift:deploy" = "newest"
  }

  lifecycle {
    ignore_changes = [task_definition, load_balancer, desired_count]
  }
}

resource "aws_db_instance" "kfood" {
  identifier        = "kfood-db"
  engine            = "postgres"
  instance_class    = "db.t3.medium"
  allocated_storage = 50
  multi_az          = true
  username          = "kfood"
  password          = var.database_password
  # …

  tags = {
    "nightshift:backup" = "daily=7 weekly=4 monthly=12"
  }
}

# Table Order runs on one machine, not on ECS: of it only the database is tagged.
resource "aws_db_instance" "table_order" {
  identifier        = "table-order-db"
  engine            = "postgres"
  instance_class    = "db.t3.micro"
  allocated_storage = 20
  username          = "orders"
  password          = var.database_password
  # …

  tags = {
    "nightshift:backup" = "days=30"
  }
}

# A staging environment beside production: it follows the branch, sleeps at night, and ends first when the budget is spent.
resource "aws_ecs_service" "staging_ml_server" {
  name            = "ml-server"
  cluster         = "staging"
  task_definition = var.revisions["ml-server"]
  desired_count   = 1
  # …

  tags = {
    "nightshift:deploy"   = "newest prefix=main-"
    "nightshift:schedule" = "mon-fri 09:00-19:00"
    "nightshift:budget"   = "sleep-at=80"
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}

output "topic" {
  description = "Where chats and further addresses subscribe."
  value       = module.nightshift.topic_arn
}
