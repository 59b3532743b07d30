//! Tables and laws of the decision, played against a small model of ECS and ECR.

mod blue_green;
mod gates;
mod laws;
mod model;
mod stories;
