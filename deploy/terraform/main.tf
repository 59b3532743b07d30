# Nightshift as a module of Terraform or OpenTofu: puts the functions of a release into a bucket, and lets CloudFormation
# create the stack from the release's own template. So nothing is written twice, and an upgrade is another release.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  # The module is a folder of the release.
  release = coalesce(var.release, "${path.module}/..")
  # Another prefix for other files, also where the version is the same: Lambda takes new code only from a new key.
  prefix = "${var.stack_name}/${trimspace(file("${local.release}/VERSION"))}-${substr(filesha256("${local.release}/SHA256SUMS"), 0, 16)}"
  files  = setunion(fileset(local.release, "*-${var.architecture}.zip"), ["template.json"])
  bucket = var.bucket == null ? aws_s3_bucket.code[0].bucket : data.aws_s3_bucket.code[0].bucket
  domain = var.bucket == null ? aws_s3_bucket.code[0].bucket_regional_domain_name : data.aws_s3_bucket.code[0].bucket_regional_domain_name
}

data "aws_s3_bucket" "code" {
  count  = var.bucket == null ? 0 : 1
  bucket = var.bucket
}

resource "aws_s3_bucket" "code" {
  count = var.bucket == null ? 1 : 0
  # Not the name that install.sh takes, which deletes its bucket with the stack.
  bucket_prefix = "${var.stack_name}-code-"
  # Nothing is in it but what a release has.
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "code" {
  count                   = var.bucket == null ? 1 : 0
  bucket                  = aws_s3_bucket.code[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_object" "file" {
  for_each = local.files
  bucket   = local.bucket
  key      = "${local.prefix}/${each.value}"
  source   = "${local.release}/${each.value}"

  lifecycle {
    # The files of the release before stay until the stack is updated: CloudFormation needs them if it has to go back.
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "nightshift" {
  name         = var.stack_name
  template_url = "https://${local.domain}/${aws_s3_object.file["template.json"].key}"
  capabilities = ["CAPABILITY_IAM"]
  depends_on   = [aws_s3_object.file]

  parameters = merge(local.parameters, {
    CodeBucket = local.bucket
    CodePrefix = local.prefix
  })

  lifecycle {
    precondition {
      condition     = length(local.files) > 1
      error_message = "The release has no functions for this architecture."
    }
  }
}
