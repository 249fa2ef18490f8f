//! What pages load: style, scripts, the icon. Their address changes with their content, so that they may be kept for
//! ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

const ASSETS: [(&str, &str, &str); 6] = [
    ("console.css", "text/css; charset=utf-8", include_str!("assets/console.css")),
    ("console.js", "text/javascript; charset=utf-8", include_str!("assets/console.js")),
    ("htmx.js", "text/javascript; charset=utf-8", include_str!("assets/htmx.min.js")),
    ("uplot.js", "text/javascript; charset=utf-8", include_str!("assets/uPlot.iife.min.js")),
    ("uplot.css", "text/css; charset=utf-8", include_str!("assets/uPlot.min.css")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// What the addresses have in common in this build.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest = ASSETS.iter().fold(Sha256::new(), |digest, (_, _, text)| digest.chain_update(text));
    hex::encode(&digest.finalize()[..8])
});

/// The address of one.
pub(super) fn url(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

/// One of them.
pub(super) async fn serve(Path((_, name)): Path<(String, String)>) -> Response {
    match ASSETS.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, text)) => {
            let headers = [(CONTENT_TYPE, *kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, *text).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
