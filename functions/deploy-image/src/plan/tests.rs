//! Tables and laws of the decision, played against a small model of ECS and ECR.

mod gates;
mod laws;
mod model;
mod stories;
