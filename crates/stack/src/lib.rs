//! Compose text and overlays plus `seaworthy.toml` to a [`Shape`], never failing on a bad file: it gives what it
//! understood and a list of diagnostics with places.
//!
//! Pure and sans-IO: start at [`load`], which answers what it misses until nothing is missing.

mod compose;
pub mod compose_hash;
mod discovery;
pub mod image;
mod load;
mod materials;
mod names;
mod project;
mod read;
mod reading;
mod scalar;
mod settings;
mod shape;
mod string;
mod suggest;
mod text;
mod tree;
mod values;
mod variables;

pub use load::{Files, Found, Load, Loaded, Rendering, Request, load};
pub use materials::{Materials, Tree};
pub use names::{NetworkKey, SecretName, ServiceName, StackName, VolumeKey};
pub use read::keys::{Fate, keys};
pub use settings::schema;
pub use shape::{
    Attachment, Authority, BackupSpec, BindOptions, Blkio, BlkioRate, BlkioWeight, Build, Certificate,
    Condition, ContentId, Control, Dependency, Device, DeviceRequest, DrillSpec, EngineKind, Exposed,
    FileMount, FileSource, Healthcheck, Hook, Ipam, IpamPool, Logging, Mount, MountSource, Namespace,
    Network, Over, Port, Probe, ProbeKind, ProbeRole, ProcessSpec, PullPolicy, Recursive, Resources, Restart,
    SecretKind, SecretSpec, Series, Service, Shape, State, StateKind, Transit, Ulimit, Volume, VolumesFrom,
    WebsocketStep, ipam_or_subnets,
};
pub use suggest::{Suggestion, suggest};
pub use text::{Part, Text};
