# What the module itself asks for, beside the parameters of the template in variables.tf.

variable "stack_name" {
  description = "The name of the CloudFormation stack. The names of its functions begin with it."
  type        = string
  default     = "nightshift"
  nullable    = false
}

variable "release" {
  description = "The folder of an unpacked release; none: the one that this module is a folder of."
  type        = string
  default     = null
}

variable "bucket" {
  description = "A bucket of yours for the code, in the region of the stack; none: one is created."
  type        = string
  default     = null
}
