# The outputs of template.yaml. A test holds this file to be what the template says, word by word.

output "dashboard_url" {
  description = "The dashboard."
  value       = lookup(aws_cloudformation_stack.nightshift.outputs, "DashboardUrl", null)
}

output "topic_arn" {
  description = "The topic that messages to people go to. Subscribe chats and further addresses here."
  value       = aws_cloudformation_stack.nightshift.outputs["TopicArn"]
}

output "failure_queue_url" {
  description = "The queue of runs that failed and events that reached no function."
  value       = aws_cloudformation_stack.nightshift.outputs["FailureQueueUrl"]
}

output "budget_topic_arn" {
  description = "The topic that AWS Budgets notifies. Let your own budgets and cost anomaly monitors notify it too."
  value       = aws_cloudformation_stack.nightshift.outputs["BudgetTopicArn"]
}

output "copy_buckets_function_name" {
  description = "The name to invoke copy-buckets by, for a copy now."
  value       = aws_cloudformation_stack.nightshift.outputs["CopyBucketsFunctionName"]
}

output "deploy_compose_function_name" {
  description = "The name to invoke deploy-compose by, for approve, reject, rollback, clear and look."
  value       = aws_cloudformation_stack.nightshift.outputs["DeployComposeFunctionName"]
}

output "deploy_image_function_name" {
  description = "The name to invoke deploy-image by, for approve, reject, rollback and clear."
  value       = aws_cloudformation_stack.nightshift.outputs["DeployImageFunctionName"]
}

output "drill_restores_function_name" {
  description = "The function that tries restores; invoke it with {\"drill\":{\"database\":\"NAME\"}} for one now."
  value       = aws_cloudformation_stack.nightshift.outputs["DrillRestoresFunctionName"]
}

output "enforce_budget_function_name" {
  description = "The name to invoke enforce-budget by, for release."
  value       = aws_cloudformation_stack.nightshift.outputs["EnforceBudgetFunctionName"]
}

output "press_button_function_name" {
  description = "The function that the buttons of messages in chat invoke."
  value       = aws_cloudformation_stack.nightshift.outputs["PressButtonFunctionName"]
}

output "prune_backups_function_name" {
  description = "The name to invoke prune-backups by."
  value       = aws_cloudformation_stack.nightshift.outputs["PruneBackupsFunctionName"]
}

output "remediate_alarm_function_arn" {
  description = "What an alarm can have as its action, if EventBridge is not wanted."
  value       = aws_cloudformation_stack.nightshift.outputs["RemediateAlarmFunctionArn"]
}

output "report_operations_function_name" {
  description = "The name to invoke report-operations by, for the board and for reports."
  value       = aws_cloudformation_stack.nightshift.outputs["ReportOperationsFunctionName"]
}

output "remediate_alarm_function_name" {
  description = "The name to invoke remediate-alarm by, for clear."
  value       = aws_cloudformation_stack.nightshift.outputs["RemediateAlarmFunctionName"]
}

output "scale_staging_function_name" {
  description = "The name to invoke scale-staging by, for wake and sleep."
  value       = aws_cloudformation_stack.nightshift.outputs["ScaleStagingFunctionName"]
}

output "snapshot_databases_function_name" {
  description = "The name to invoke snapshot-databases by."
  value       = aws_cloudformation_stack.nightshift.outputs["SnapshotDatabasesFunctionName"]
}
