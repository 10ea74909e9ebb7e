//! The reference applications: a relay that cannot read what it stores, its load client, a development key store.
