//! What programs say when something is wrong, and what it means. The most particular row stands first.

/// A row: words that give a cause away.
pub(super) struct Words {
    /// The cause.
    pub(super) id: &'static str,
    /// Any of these, in small letters, in one line.
    pub(super) any: &'static [&'static str],
    /// What is wrong with a service; it stands after its name.
    pub(super) means: &'static str,
    /// What to do.
    pub(super) fix: &'static str,
}

/// What services say.
pub(super) const OF_SERVICES: &[Words] = &[
    Words {
        id: "key-store-login",
        any: &["invalid role or secret id", "invalid role id", "invalid role_id", "invalid secret id"],
        means: "is turned away by the key store: its role id or its secret id is wrong",
        fix: "compare the role id it is given with the one the key store has, and give it a new secret id",
    },
    Words {
        id: "key-store-sealed",
        any: &["vault is sealed", "openbao is sealed", "bao is sealed"],
        means: "asks a key store that is sealed",
        fix: "bring the shares of its holders together: seaworthy bootstrap --shares FILE",
    },
    Words {
        id: "key-store-field",
        any: &["get secret from vault", "no value found at", "field not found", "secret not found"],
        means: "asks the key store for a secret, or a field of one, that is not there",
        fix: "write the secret that its words name into the key store, under exactly that path and field",
    },
    Words {
        id: "disk-full",
        any: &["no space left on device", "disk quota exceeded", "enospc"],
        means: "has no room left to write",
        fix: "make room where its volumes are: docker system df; then seaworthy deploy",
    },
    Words {
        id: "architecture",
        any: &["exec format error"],
        means: "has a program for another kind of machine",
        fix: "take an image for this machine's architecture, or name one with `platform`",
    },
    Words {
        id: "file-missing",
        any: &[
            "no such file or directory",
            "enoent",
            "file not found",
            "cannot find the file",
            "load runtime config",
        ],
        means: "misses a file",
        fix: "mount the file that its words name, or correct the path it is told",
    },
    Words {
        id: "setting-missing",
        any: &[
            "is not set",
            "must be set",
            "is required",
            "not provided",
            "missing required",
            "missing environment",
            "environment variable not found",
            "keyerror",
        ],
        means: "misses a setting",
        fix: "give it what its words name, in its `environment` or an env file of the shape; then seaworthy deploy",
    },
    Words {
        id: "setting-invalid",
        any: &[
            "invalid value",
            "invalid environment",
            "validation error",
            "cannot parse",
            "failed to parse",
            "invalid literal",
        ],
        means: "does not understand a setting",
        fix: "correct what its words name, in its `environment` or an env file of the shape; then seaworthy deploy",
    },
    Words {
        id: "database-login",
        any: &["password authentication failed", "access denied for user", "wrongpass", "noauth"],
        means: "is turned away by its database: user or password is wrong",
        fix: "a database keeps the password of its first start: set it there to what the service is given, or the other way round",
    },
    Words {
        id: "address-taken",
        any: &["address already in use", "eaddrinuse"],
        means: "wants an address that something else in its network listens on",
        fix: "let only one program of the container, or of the network it shares, listen on that port",
    },
    Words {
        id: "permission",
        any: &["permission denied", "operation not permitted", "eacces", "eperm"],
        means: "may not do what it tries",
        fix: "let the user it runs as own what its words name: `user`, or the owner of the mounted directory",
    },
    Words {
        id: "certificate",
        any: &[
            "certificate has expired",
            "certificate is not yet valid",
            "certificate signed by unknown",
            "certificate verify failed",
        ],
        means: "does not trust a certificate",
        fix: "renew the certificate, or mount the authority that signed it; look at this machine's clock too",
    },
    Words {
        id: "name-unknown",
        any: &[
            "no such host",
            "could not resolve",
            "name or service not known",
            "name resolution",
            "getaddrinfo",
            "host not found",
        ],
        means: "asks for a host whose name does not resolve where it runs",
        fix: "put both services on one network, or correct the name it is told; `dns` names other servers",
    },
    Words {
        id: "dependency-silent",
        any: &["connection refused", "econnrefused"],
        means: "needs something that does not answer",
        fix: "look at what its words name first: seaworthy status; `depends_on` makes it wait",
    },
];

/// What engines pass on from registries and builders.
pub(super) const OF_ENGINES: &[Words] = &[
    Words {
        id: "registry-limit",
        any: &["toomanyrequests", "too many requests", "429"],
        means: "cannot be fetched: its registry has been asked too often",
        fix: "wait, or `docker login` for a larger share; a mirror, or an `archive`, needs to ask nobody",
    },
    Words {
        id: "registry-denied",
        any: &[
            "unauthorized",
            "incorrect username or password",
            "no basic auth credentials",
            "access denied",
            "access to the resource is denied",
        ],
        means: "cannot be fetched: its registry does not let us in",
        fix: "`docker login` to its registry, as a user who may read it, then try again",
    },
    Words {
        id: "image-unknown",
        any: &["manifest unknown", "not found", "name unknown"],
        means: "cannot be fetched: its registry has no such image",
        fix: "check the name and the tag",
    },
    Words {
        id: "registry-certificate",
        any: &["x509", "certificate", "http response to https client"],
        means: "cannot be fetched: its registry's certificate is not trusted by the engine",
        fix: "give the engine the authority: /etc/docker/certs.d/REGISTRY/ca.crt; look at this machine's clock too",
    },
    Words {
        id: "name-unresolved",
        any: &["no such host", "name resolution", "server misbehaving"],
        means: "cannot be fetched: the engine does not resolve its registry's name",
        fix: "look at /etc/resolv.conf of the engine's machine, and at the name",
    },
    Words {
        id: "registry-absent",
        any: &[
            "connection refused",
            "i/o timeout",
            "no route to host",
            "network is unreachable",
            "context deadline",
            "request canceled",
        ],
        means: "cannot be fetched: its registry does not answer",
        fix: "look at the way there: address, firewall, proxy; or bring the image with `docker load`",
    },
    Words {
        id: "builder-unprivileged",
        any: &["operation not permitted", "requires privileged", "unprivileged"],
        means: "cannot be built: the builder may not do what a step asks for",
        fix: "build where the engine has the privilege (a runner's `privileged`, or `privileged: true` below `build`)",
    },
];

/// The first row of a table that a line speaks of, with that line; later lines count before earlier ones.
pub(super) fn spoken_of<'l>(
    table: &'static [Words],
    lines: &'l [String],
) -> Option<(&'static Words, &'l str)> {
    let says = |row: &Words, line: &str| {
        let line = line.to_lowercase();
        row.any.iter().any(|words| line.contains(words))
    };
    table.iter().find_map(|row| {
        let line = lines.iter().rev().find(|line| says(row, line))?;
        Some((row, line.as_str()))
    })
}

/// The variable that a line names: in capitals, with an underscore.
pub(super) fn variable(line: &str) -> Option<&str> {
    let part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    line.split(|c| !part(c)).find(|word| word.len() > 3 && word.contains('_') && !word.starts_with('_'))
}

/// The path that a line names.
pub(super) fn path(line: &str) -> Option<&str> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ':' | ',' | ';' | '(' | ')');
    line.split(ends).find(|word| word.len() > 1 && word.starts_with('/'))
}
