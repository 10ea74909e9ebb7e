//! Files as text in, a stack out: the one place that knows how reading is driven.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;

use stack::{Files, Found, Load, Loaded, Request, Service, Shape, load};

/// A project directory written into a test.
#[derive(Default)]
pub(crate) struct Project {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) request: Request,
    /// What is there when it is listed and gone when it is read, with what the system says.
    pub(crate) gone: BTreeMap<String, String>,
}

impl Project {
    /// Files by name, relative to the project directory `/srv/app`.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        let request = Request { directory: "/srv/app".to_owned(), ..Request::default() };
        Self { files, request, gone: BTreeMap::new() }
    }

    /// One Compose file.
    pub(crate) fn compose(text: &str) -> Self {
        Self::new(&[("compose.yaml", text)])
    }

    pub(crate) fn bytes(mut self, name: &str, bytes: &[u8]) -> Self {
        self.files.insert(name.to_owned(), bytes.to_vec());
        self
    }

    pub(crate) fn gone(mut self, name: &str, reason: &str) -> Self {
        self.gone.insert(name.to_owned(), reason.to_owned());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.request.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn shape_named(mut self, name: &str) -> Self {
        self.request.shape = Some(name.to_owned());
        self
    }

    pub(crate) fn profile(mut self, name: &str) -> Self {
        self.request.profiles.push(name.to_owned());
        self
    }

    pub(crate) fn file(mut self, name: &str) -> Self {
        self.request.files.push(name.to_owned());
        self
    }

    /// Answers what reading asks for until it is done.
    pub(crate) fn load(&self) -> Loaded {
        let mut known = Files::new();
        for _ in 0..8 {
            match load(&self.request, &known) {
                Load::Done(loaded) => return *loaded,
                Load::Needs(paths) => {
                    for path in paths {
                        let found = self.look(&path);
                        assert!(known.insert(path.clone(), found).is_none(), "{path} is asked for twice");
                    }
                }
            }
        }
        panic!("reading never ends");
    }

    fn look(&self, path: &str) -> Found {
        let relative = path.strip_prefix("/srv/app/").unwrap_or(path);
        if let Some(reason) = self.gone.get(relative) {
            return Found::Unreadable(reason.clone());
        }
        if let Some(bytes) = self.files.get(relative) {
            return Found::File { bytes: bytes.clone(), mode: 0o644 };
        }
        let below: BTreeMap<String, (Vec<u8>, u32)> = self
            .files
            .iter()
            .filter_map(|(name, bytes)| {
                let inner = name.strip_prefix(relative)?.strip_prefix('/')?;
                Some((inner.to_owned(), (bytes.clone(), 0o644)))
            })
            .collect();
        if below.is_empty() { Found::Missing } else { Found::Directory(below) }
    }

    /// The shape, when nothing at all was said.
    pub(crate) fn shape(&self) -> Shape {
        let loaded = self.load();
        assert_eq!(said(&loaded), "");
        loaded.shape.unwrap()
    }

    /// A service of that shape.
    pub(crate) fn service(&self, name: &str) -> Service {
        self.shape().services[&name.into()].clone()
    }

    /// Everything that was said, a line each.
    pub(crate) fn said(&self) -> String {
        said(&self.load())
    }
}

/// Everything that was said, a line each.
pub(crate) fn said(loaded: &Loaded) -> String {
    loaded.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
