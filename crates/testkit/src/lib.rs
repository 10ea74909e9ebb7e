//! A modelled host, fault sweeps, and the scenario runner.
