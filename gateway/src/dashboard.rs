//! Serves the operators' dashboard: its page, scripts and styles lie in the binary; what it shows comes over the API,
//! with the operator's key.

use crate::AppState;
use axum::{
    extract::Path,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use include_dir::{Dir, include_dir};
use utoipa_axum::router::OpenApiRouter;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../web/dashboard");

/// Only its own files and its own API (what scripts set through the CSSOM needs no more).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The routes of the dashboard; they need no credential, because nothing in the files is anyone's.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .route("/dashboard", get(|| async { file("index.html") }))
        .route("/assets/dashboard/{*path}", get(|Path(path): Path<String>| async move { file(&path) }))
}

fn file(path: &str) -> Response {
    let Some(file) = FILES.get_file(path) else { return StatusCode::NOT_FOUND.into_response() };
    let media_type = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ];
    (headers, file.contents()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_the_page_names_is_there() {
        let page = FILES.get_file("index.html").unwrap().contents_utf8().unwrap();
        let named: Vec<&str> = page.split('"').filter_map(|text| text.strip_prefix("/assets/dashboard/")).collect();
        assert!(named.len() >= 3, "{named:?}");
        for path in named {
            assert_eq!(file(path).status(), StatusCode::OK, "{path}");
        }
        assert_eq!(file("index.html").headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(file("../Cargo.toml").status(), StatusCode::NOT_FOUND);
        assert!(file("main.js").headers().contains_key(header::CONTENT_SECURITY_POLICY));
    }
}
