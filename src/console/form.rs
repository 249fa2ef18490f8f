//! What a form sends: read only if it comes from a page of ours and from somebody who is signed in.

use std::sync::Arc;

use aws_lc_rs::constant_time;
use axum::extract::{FromRequest, FromRequestParts, Request};

use super::Console;
use super::LARGEST_FORM;
use super::failure::Failed;
use super::session::{Visitor, is_cross_origin};

/// The fields of a form, in order.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields of this body.
    pub(super) fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// A field's value without the white space around it; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// A field's value as it was typed, as for a password.
    pub(super) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The values of a field that may come several times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A form of somebody who is signed in.
pub(super) struct Posted {
    pub(super) visitor: Visitor,
    pub(super) fields: Fields,
}

/// A form of somebody who is not: signing in. It rests on no cookie, so another site's page gains nothing by sending it
/// but its own session, which the origin forbids.
pub(super) struct Stranger(pub(super) Fields);

async fn fields(request: Request) -> Result<Fields, Failed> {
    if is_cross_origin(request.headers()) {
        return Err(Failed::not_allowed("A page of another site cannot do this."));
    }
    let body = axum::body::to_bytes(request.into_body(), LARGEST_FORM).await;
    let body = body.map_err(|_| Failed::invalid("The form is too large."))?;
    Ok(Fields::parse(&body))
}

impl FromRequest<Arc<Console>> for Posted {
    type Rejection = Failed;

    async fn from_request(request: Request, console: &Arc<Console>) -> Result<Self, Failed> {
        let (mut parts, body) = request.into_parts();
        let visitor =
            <Visitor as FromRequestParts<Arc<Console>>>::from_request_parts(&mut parts, console).await?;
        let fields = fields(Request::from_parts(parts, body)).await?;
        let given = fields.raw("page_token").as_bytes();
        if constant_time::verify_slices_are_equal(visitor.page_token.as_bytes(), given).is_err() {
            return Err(Failed::not_allowed("This page is of another session: go back and load it anew."));
        }
        Ok(Self { visitor, fields })
    }
}

impl FromRequest<Arc<Console>> for Stranger {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &Arc<Console>) -> Result<Self, Failed> {
        fields(request).await.map(Self)
    }
}
