//! Folds and findings to a Report, and its views.
