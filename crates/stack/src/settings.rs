//! `seaworthy.toml`.

use std::time::Duration;

use crate::{
    compose::Compose,
    names::StackName,
    reading::Reading,
    shape::{BackupSpec, DrillSpec, Shape},
    variables::Variables,
};

/// What the file says.
#[derive(Default)]
pub(crate) struct Settings {}

/// One declared shape.
#[derive(Default)]
pub(crate) struct ShapeSettings {
    pub(crate) files: Vec<String>,
    pub(crate) profiles: Vec<String>,
    pub(crate) env_files: Vec<String>,
}

pub(crate) fn read(_: &Reading<'_>) -> Option<Settings> {
    Some(Settings::default())
}

impl Settings {
    pub(crate) fn shape(&self, _: &Reading<'_>) -> ShapeSettings {
        ShapeSettings::default()
    }
    pub(crate) fn declare_secrets(&self, _: &Reading<'_>, _: &mut Variables) {}
    pub(crate) fn name(&self) -> Option<&str> {
        None
    }
    pub(crate) fn shapes(&self) -> Vec<String> {
        Vec::new()
    }
    pub(crate) fn apply(
        &self,
        reading: &Reading<'_>,
        _: &ShapeSettings,
        compose: Compose,
        stack: StackName,
        files: Vec<String>,
        _: &Variables,
    ) -> Shape {
        Shape {
            stack,
            name: "default".to_owned(),
            production: false,
            live: false,
            engine: None,
            min_healthy: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            files,
            directory: reading.request.directory.clone(),
            publishes: None,
            origins: Vec::new(),
            services: compose.services,
            networks: compose.networks,
            volumes: compose.volumes,
            secrets: Default::default(),
            states: Default::default(),
            backup: BackupSpec::default(),
            drill: DrillSpec::default(),
        }
    }
}
