//! What a page says when it cannot do what was asked.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use super::page;
use crate::bridge::NotDone;
use crate::domain::Role;
use crate::store::StoreError;

/// Why there is no page.
pub(super) enum Failed {
    /// Nobody is signed in.
    SignInFirst,
    /// Something else, to be said on a page of its own.
    Page {
        /// The status.
        status: StatusCode,
        /// What happened, as a heading.
        title: &'static str,
        /// What to do about it.
        why: String,
    },
}

impl Failed {
    pub(super) fn not_there() -> Self {
        let why = "There is nothing at this address, or nothing that you may see.".into();
        Self::Page { status: StatusCode::NOT_FOUND, title: "Nothing here", why }
    }

    pub(super) fn not_allowed(why: impl Into<String>) -> Self {
        Self::Page { status: StatusCode::FORBIDDEN, title: "Not allowed", why: why.into() }
    }

    pub(super) fn invalid(why: impl Into<String>) -> Self {
        Self::Page { status: StatusCode::BAD_REQUEST, title: "That did not work", why: why.into() }
    }

    fn role(role: Role) -> Self {
        Self::not_allowed(format!(
            "This takes the role {role}. Ask an administrator of yours if it should be yours."
        ))
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        tracing::error!("the store could not answer the console: {error}");
        let why = "The database does not answer just now. Nothing is lost; try again in a moment.".into();
        Self::Page { status: StatusCode::SERVICE_UNAVAILABLE, title: "Not just now", why }
    }
}

impl From<NotDone> for Failed {
    fn from(why: NotDone) -> Self {
        match why {
            NotDone::NotThere => Self::not_there(),
            NotDone::NotAllowed(role) => Self::role(role),
            NotDone::Conflict(why) => {
                Self::Page { status: StatusCode::CONFLICT, title: "Not possible now", why }
            }
            NotDone::Invalid(why) => Self::invalid(why),
            NotDone::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::SignInFirst => Redirect::to("/sign-in").into_response(),
            Self::Page { status, title, why } => {
                let body = html! {
                    h1 { (title) }
                    p.lead { (why) }
                    p { a.button href="/" { "Go to Home" } }
                };
                (status, page::plain(title, body)).into_response()
            }
        }
    }
}
