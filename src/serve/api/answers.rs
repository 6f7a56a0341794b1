//! The answers that every route may give beside its own.

use utoipa::IntoResponses;

use crate::serve::problem::ProblemBody;

/// What any request may be refused with.
#[derive(IntoResponses)]
pub enum Refused {
    /// The request cannot be understood, or names no purpose where it must.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemBody),
    /// No valid token or key.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    /// Not in this role, or not for this purpose.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// There is none, or none within reach.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// The request did not end in time.
    #[response(status = 408, content_type = "application/problem+json")]
    Timeout(ProblemBody),
    /// Too many requests of one caller; `Retry-After` says when to come again.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemBody),
    /// Our fault.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemBody),
    /// Busy, or no run was loaded yet; `Retry-After` says when to come again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// What a request with a body may be refused with beside that.
#[derive(IntoResponses)]
pub enum PostRefused {
    /// The body is too large, packed or unpacked.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// Not the kind of content that is taken.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(ProblemBody),
    /// The body is understood, and wrong.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(ProblemBody),
}
