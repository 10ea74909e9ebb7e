//! What no single key can say: references that lead nowhere, keys that contradict each other, circles.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Diagnostic, closest};

use crate::{
    reading::Reading,
    tree::{Entry, Map, Node, Spot},
};

/// Checks the enabled services against each other and against what is declared.
pub(super) fn check(reading: &Reading<'_>, file: &Node, disabled: &Map) {
    let checking = Checking { reading, file, disabled };
    for (name, entry) in checking.services() {
        checking.service(name, entry);
    }
    checking.secrets();
    checking.cycles();
    checking.container_names();
}

struct Checking<'c, 'a> {
    reading: &'c Reading<'a>,
    file: &'c Node,
    disabled: &'c Map,
}

fn list<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).map(Node::items).unwrap_or_default()
}

impl<'c> Checking<'c, '_> {
    fn services(&self) -> impl Iterator<Item = (&'c String, &'c Entry)> {
        self.file.get("services").into_iter().flat_map(Node::entries)
    }

    fn section(&self, name: &str) -> Option<&'c Map> {
        self.file.get(name).and_then(Node::as_map)
    }

    fn conflict(&self, at: Spot, message: impl Into<String>, hint: &str) {
        self.reading.say(at, Diagnostic::error("conflict", message).hint(hint));
    }

    fn service(&self, name: &str, entry: &Entry) {
        let service = &entry.node;
        // One that could not be taken from another had that said already.
        let alone = service.get("extends").is_none() || !self.reading.refused();
        if alone && ["image", "build", "provider"].iter().all(|key| service.get(key).is_none()) {
            let message = format!("the service `{name}` has no `image`");
            let said = Diagnostic::error("missing-key", message);
            self.reading.say(entry.key_at, said.hint("name the image that it runs, or say how it is built"));
        }
        if let Some(build) = service.get("build") {
            self.build(service, build);
        }
        match (service.get("network_mode"), service.entry("networks")) {
            (Some(_), Some(networks)) => {
                let message = "`network_mode` and `networks` exclude each other";
                self.conflict(networks.key_at, message, "keep one of the two");
            }
            (_, networks) => {
                for (network, joined) in networks.into_iter().flat_map(|networks| networks.node.entries()) {
                    self.declared("networks", "network", network, joined.key_at);
                }
            }
        }
        self.healthcheck(service);
        self.dependencies(name, service);
        if let Some(mode) = service.get("network_mode")
            && let Some(other) = mode.as_str().and_then(|mode| mode.strip_prefix("service:"))
        {
            self.enabled(other, mode.at);
        }
        for mount in list(service, "volumes") {
            let volume = mount.str("type").is_some_and(|kind| &**kind == "volume");
            if let Some(source) = mount.get("source").filter(|_| volume) {
                self.declared("volumes", "volume", &source.printed(), source.at);
            }
        }
        for (section, one) in [("configs", "config"), ("secrets", "secret")] {
            for file in list(service, section) {
                self.file(section, one, file);
            }
        }
        for (model, joined) in service.get("models").into_iter().flat_map(Node::entries) {
            self.declared("models", "model", model, joined.key_at);
        }
        self.numbers(service);
        for trigger in list(service.get("develop").unwrap_or(service), "watch") {
            let action = trigger.str("action").map(|action| action.to_string()).unwrap_or_default();
            if trigger.get("target").is_none() && !matches!(action.as_str(), "rebuild" | "restart") {
                let message = format!("a `watch` with the action `{action}` needs a `target`");
                self.reading.error(trigger.at, "missing-key", message);
            }
        }
        self.targets(service);
    }

    fn file(&self, section: &str, one: &str, file: &Node) {
        match file.get("source") {
            Some(source) => self.declared(section, one, &source.printed(), source.at),
            None => self.reading.error(file.at, "missing-key", format!("a {one} needs its `source`")),
        }
    }

    fn declared(&self, section: &str, what: &str, name: &str, at: Spot) {
        let declared = self.section(section);
        if declared.is_some_and(|map| map.contains_key(name)) {
            return;
        }
        let known = declared.into_iter().flat_map(|map| map.keys()).map(String::as_str);
        self.unknown(what, name, known, at);
    }

    fn unknown<'k>(&self, what: &str, name: &str, known: impl Iterator<Item = &'k str>, at: Spot) {
        let message = format!("the {what} `{name}` is not declared");
        let said = Diagnostic::error(&format!("unknown-{what}"), message);
        self.reading.say(
            at,
            match closest(name, known) {
                Some(near) => said.hint(format!("did you mean `{near}`?")),
                None => said.hint(format!("declare it under `{what}s:` at the top level")),
            },
        );
    }

    /// Whether a service is there; where it is not, or no profile enables it, that is said.
    fn enabled(&self, name: &str, at: Spot) -> Option<&'c Node> {
        let services = self.section("services");
        if let Some(entry) = services.and_then(|map| map.get(name)) {
            return Some(&entry.node);
        }
        if self.disabled.contains_key(name) {
            let message = format!("`{name}` is needed here, and no profile enables it");
            let said = Diagnostic::error("disabled-service", message);
            self.reading.say(at, said.hint("enable its profile"));
        } else {
            let known = services.into_iter().flat_map(|map| map.keys()).chain(self.disabled.keys());
            self.unknown("service", name, known.map(String::as_str), at);
        }
        None
    }

    fn build(&self, service: &Node, build: &Node) {
        if let (Some(inline), Some(_)) = (build.entry("dockerfile_inline"), build.get("dockerfile")) {
            let message = "`dockerfile` and `dockerfile_inline` exclude each other";
            self.conflict(inline.key_at, message, "keep one of the two");
        }
        for key in list(build, "ssh") {
            let text = key.printed();
            if let Some((id, _)) = text.split_once('=') {
                // The reference takes it, and fails when it prints it.
                let said = Diagnostic::error("bad-ssh-key", format!("the SSH key `{id}` names a path"));
                self.reading.say(key.at, said.hint("give the key to an agent, and write `default`"));
            }
        }
        for (_, context) in build.get("additional_contexts").into_iter().flat_map(Node::entries) {
            let Some(name) = context.node.as_str().and_then(|text| text.strip_prefix("service:")) else {
                continue;
            };
            if self.enabled(name, context.node.at).is_some_and(|other| other.get("build").is_none()) {
                let message = format!("the service `{name}` is not built, and cannot be a context");
                self.reading.error(context.node.at, "conflict", message);
            }
        }
        let platforms = list(build, "platforms");
        if let Some(platform) = service.get("platform").filter(|_| !platforms.is_empty())
            && !platforms.contains(platform)
        {
            let message = format!("{} is not among the `platforms` that are built", platform.shown());
            self.conflict(platform.at, message, "add it to `build.platforms`");
        }
        for secret in list(build, "secrets") {
            self.file("secrets", "secret", secret);
        }
    }

    fn healthcheck(&self, service: &Node) {
        let Some(test) = service.get("healthcheck").and_then(|check| check.get("test")) else { return };
        let known = ["CMD", "CMD-SHELL", "NONE"];
        if test.items().first().and_then(Node::as_str).is_some_and(|first| !known.contains(&&**first)) {
            let said = Diagnostic::error("wrong-type", "`test` must begin with CMD, CMD-SHELL or NONE");
            self.reading.say(test.at, said.hint("or write it as one string, which runs in a shell"));
        }
    }

    fn dependencies(&self, name: &str, service: &Node) {
        let services = self.section("services");
        for (on, dependency) in service.get("depends_on").into_iter().flat_map(Node::entries) {
            if services.is_some_and(|map| map.contains_key(on)) {
                continue;
            }
            let at = dependency.key_at;
            if !self.disabled.contains_key(on) {
                let known = services.into_iter().flat_map(|map| map.keys()).chain(self.disabled.keys());
                self.unknown("service", on, known.map(String::as_str), at);
            } else if dependency.node.get("required").is_some_and(Node::is_true) {
                let message = format!("`{name}` depends on `{on}`, which no profile enables");
                let said = Diagnostic::error("disabled-service", message);
                self.reading
                    .say(at, said.hint("enable its profile, or write `required: false` at the dependency"));
            }
        }
    }

    /// What may stand in two places, and must be the same in both.
    fn numbers(&self, service: &Node) {
        let deploy = service.get("deploy");
        let replicas = deploy.and_then(|deploy| deploy.get("replicas"));
        let scale = service.get("scale");
        if let (Some(scale), Some(replicas)) = (scale, replicas)
            && scale != replicas
        {
            self.conflict(
                scale.at,
                "`scale` and `deploy.replicas` say different things",
                "keep one of the two",
            );
        }
        for (key, count) in [("scale", scale), ("replicas", replicas)] {
            if let Some(count) = count.filter(|count| count.as_int().is_some_and(|number| number < 0)) {
                let message = format!("`{key}` must be at least 0, and is {}", count.shown());
                self.reading.error(count.at, "wrong-type", message);
            }
        }
        let count = scale.or(replicas).and_then(Node::as_int).unwrap_or(1);
        if let Some(name) = service.entry("container_name").filter(|_| count > 1) {
            let message = format!("{count} containers cannot all have one `container_name`");
            self.conflict(name.key_at, message, "take `container_name` out");
        }
        let resources = deploy.and_then(|deploy| deploy.get("resources"));
        for (key, kind, deployed) in [
            ("cpus", "limits", "cpus"),
            ("mem_limit", "limits", "memory"),
            ("mem_reservation", "reservations", "memory"),
            ("pids_limit", "limits", "pids"),
        ] {
            let (Some(own), Some(block)) = (service.get(key), resources.and_then(|all| all.get(kind))) else {
                continue;
            };
            if block.get(deployed) != Some(own) {
                let message = format!("`{key}` and `deploy.resources.{kind}` say different things");
                self.conflict(own.at, message, "keep one of the two");
            }
        }
    }

    /// No two mounts have one target.
    fn targets(&self, service: &Node) {
        let mut taken: BTreeMap<&str, Spot> = BTreeMap::new();
        let tmpfs = list(service, "tmpfs").iter().filter_map(|item| {
            let text = item.as_str()?;
            Some((text.split(':').next().unwrap_or_default(), item.at))
        });
        let mounts = list(service, "volumes").iter().map(|mount| {
            let target = mount.get("target").and_then(Node::as_str).map(|target| &**target);
            (target.unwrap_or_default(), mount.at)
        });
        for (target, at) in tmpfs.chain(mounts) {
            if let Some(before) = taken.insert(target, at) {
                let said = Diagnostic::error("conflict", "two mounts of this service have one target");
                let said = said.cause(format!("the other stands at {}", self.reading.place(before)));
                self.reading.say(at, said.hint("give one of them another target"));
            }
        }
    }

    fn secrets(&self) {
        for (name, entry) in self.section("secrets").into_iter().flatten() {
            let secret = &entry.node;
            let external = secret.get("external").is_some_and(Node::is_true);
            if !external && secret.get("file").is_none() && secret.get("environment").is_none() {
                let message = format!("the secret `{name}` says nowhere what it holds");
                let said = Diagnostic::error("missing-key", message);
                self.reading.say(entry.key_at, said.hint("give it a `file` or an `environment`"));
            }
        }
    }

    /// Each circle of dependencies once, named from the service that comes first by name.
    fn cycles(&self) {
        let services: BTreeMap<&str, &Node> =
            self.services().map(|(name, entry)| (name.as_str(), &entry.node)).collect();
        let after = |name: &str| -> Vec<&'c str> {
            let depends = services.get(name).and_then(|service| service.get("depends_on"));
            let mut after: Vec<&str> =
                depends.into_iter().flat_map(Node::entries).map(|(on, _)| on.as_str()).collect();
            after.sort_unstable();
            after
        };
        let mut done: BTreeSet<&str> = BTreeSet::new();
        for start in services.keys() {
            let mut path: Vec<(&str, Vec<&str>)> = Vec::new();
            if !done.contains(start) {
                path.push((start, after(start)));
            }
            while let Some((name, left)) = path.last_mut() {
                let Some(next) = left.pop() else {
                    done.insert(name);
                    path.pop();
                    continue;
                };
                if let Some(from) = path.iter().position(|(on, _)| *on == next) {
                    let mut names: Vec<&str> = path[from..].iter().map(|(on, _)| *on).collect();
                    names.push(next);
                    let said =
                        Diagnostic::error("dependency-cycle", "services depend on each other in a circle");
                    let said = said.cause(names.join(" → ")).hint("take one of these dependencies out");
                    let last = path.last().map_or(next, |(on, _)| on);
                    let depends = services.get(last).and_then(|service| service.get("depends_on"));
                    let at = depends.and_then(|depends| depends.entry(next)).map(|entry| entry.key_at);
                    self.reading.say(at.unwrap_or_default(), said);
                } else if services.contains_key(next) && !done.contains(next) {
                    path.push((next, after(next)));
                }
            }
        }
    }

    /// No two containers have one name.
    fn container_names(&self) {
        let mut taken: BTreeMap<String, &str> = BTreeMap::new();
        for (name, entry) in self.services() {
            let Some(container) = entry.node.get("container_name") else { continue };
            if let Some(by) = taken.insert(container.printed().into_text(), name) {
                let message = format!("`{by}` and `{name}` have one container name");
                let said = Diagnostic::error("name-conflict", message);
                self.reading.say(container.at, said.hint("take `container_name` out of one of them"));
            }
        }
    }
}
