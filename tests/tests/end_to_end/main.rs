//! The real template and the real binaries on the local AWS, with IAM in force.

mod backups;
mod blue_green;
mod board;
mod budget;
mod by_hand;
mod codemate;
mod copy_buckets;
mod deploy_image;
mod drill_restores;
mod follow;
mod gates;
mod install;
mod local_aws;
mod machines;
mod operations;
mod overview;
mod press_button;
mod preview;
mod remediate_alarm;
mod samples;
mod scale_staging;
mod table_order;
