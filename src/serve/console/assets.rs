//! Style sheet, script and icon, served as files whose names hold a hash of what is in them: a browser keeps them for good,
//! and a strict Content-Security-Policy allows nothing else.

use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::frame::ROOT;
use crate::policy::content_hash;
use crate::report::site;

/// What may be loaded: nothing from elsewhere, nothing that stands in a page.
pub(super) const POLICY: &str =
    "default-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'";

struct Asset {
    path: String,
    kind: &'static str,
    body: String,
}

impl Asset {
    fn new(name: &str, ending: &str, kind: &'static str, body: String) -> Self {
        let hash = content_hash(body.as_bytes());
        Self { path: format!("{ROOT}/static/{name}-{}.{ending}", &hash[..16]), kind, body }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let style = format!("{}{}", site::STYLE, include_str!("console.css"));
    Asset::new("console", "css", "text/css; charset=utf-8", style)
});

static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("bench", "js", "text/javascript; charset=utf-8", include_str!("bench.js").to_owned()));

static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let icon = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"6\" fill=\"#8c1c1c\"/>\
                <path d=\"M8 16.5l5.5 5.5L24 11\" fill=\"none\" stroke=\"#fff\" stroke-width=\"4\" stroke-linecap=\"round\" \
                stroke-linejoin=\"round\"/></svg>";
    Asset::new("icon", "svg", "image/svg+xml", icon.to_owned())
});

/// The address of the style sheet.
pub(super) fn style() -> &'static str {
    &STYLE.path
}

/// The address of the script.
pub(super) fn script() -> &'static str {
    &SCRIPT.path
}

/// The address of the icon.
pub(super) fn icon() -> &'static str {
    &ICON.path
}

/// The file at an address; none for any other name.
pub(super) fn file(name: &str) -> Response {
    let path = format!("{ROOT}/static/{name}");
    match [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.path == path) {
        Some(asset) => {
            let headers = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, asset.body.as_str()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The icon, for pages that do not name it.
pub(super) fn icon_file() -> Response {
    ([(header::CONTENT_TYPE, ICON.kind)], ICON.body.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_for_what_is_in_them() {
        for path in [style(), script(), icon()] {
            let name = path.rsplit('/').next().expect("a name");
            assert_eq!(file(name).status(), StatusCode::OK, "{path}");
        }
        assert_eq!(file("console-0000000000000000.css").status(), StatusCode::NOT_FOUND);
        assert_eq!(file("../mod.rs").status(), StatusCode::NOT_FOUND);
        assert_ne!(style(), script());
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for asset in [&STYLE, &SCRIPT] {
            for outside in ["http:", "https:", "url(", "@import", "eval(", "innerHTML = form"] {
                assert!(!asset.body.contains(outside), "{} has {outside}", asset.path);
            }
        }
    }
}
