//! Tables and laws of the decision, played against a small model of ECS and ECR.

mod ahead;
mod around;
mod bad_input;
mod blue_green;
mod code_deploy;
mod follow;
mod gates;
mod groups;
mod images;
mod laws;
mod model;
mod promote;
mod sdk_fields;
mod shift;
mod status;
mod stories;
mod together;
mod unknown;
mod week;
mod windows;
