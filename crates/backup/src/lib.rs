//! Sets: sources, sealed objects, signed manifests, targets.
