//! Images: what would change without a deploy.

use crate::shapes::{red_green, stack};

#[test]
fn an_image_that_moves_is_found() {
    let red = stack().service("tunnel", "cloudflared:latest", |_| {});
    let green = stack().service("tunnel", "cloudflared:2026.1", |_| {}).service("db", "pg@sha256:aa", |_| {});
    red_green("unpinned-image", &red, "`cloudflared:latest` changes without a deploy", &green);
}

#[test]
fn production_wants_a_digest_beside_the_tag() {
    let red = stack().service("db", "postgres:16", |_| {}).production();
    let green = stack().service("db", "postgres:16@sha256:aa", |_| {}).production();
    red_green("tag-without-digest", &red, "`postgres:16` is named by a tag that can be moved", &green);
    let local = stack().service("db", "postgres:16", |_| {});
    assert!(local.messages("tag-without-digest").is_empty());
}
