//! From what the SDK says to what Holdfast calls it.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use holdfast_core::{Error, ErrorKind};

use crate::circuits::CircuitOpen;

/// Codes that ask to slow down (AWS General Reference; Amazon RDS API Reference, "Common errors").
const THROTTLING: [&str; 7] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "SlowDown",
];

/// Codes that say this role may not, or is not who it says.
const DENIED: [&str; 9] = [
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthFailure",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
];

/// Names a failed call. `action` is the API's name and what it was called on, for the message.
///
/// A connection that broke, a timeout, a 5xx answer and one that cannot be read leave it open whether the call
/// took effect: `OutcomeUnknown`, and the next attempt looks.
pub fn classify<E>(action: &str, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => Error::new(
            ErrorKind::Internal,
            format!("{action}: the request could not be built: {}", chain(error)),
        ),
        SdkError::DispatchFailure(_) if circuit_open(error).is_some() => {
            let open = circuit_open(error).map(ToString::to_string).unwrap_or_default();
            Error::new(ErrorKind::CircuitOpen, format!("{action}: {open}"))
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => Error::new(
            ErrorKind::Internal,
            format!("{action}: the request could not be sent: {}", chain(error)),
        ),
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => Error::new(
            ErrorKind::OutcomeUnknown,
            format!("{action}: no answer, it may have taken effect: {}", chain(error)),
        ),
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or("no code");
            let said = service.err().message().map_or_else(|| chain(service.err()), str::to_owned);
            let kind = if THROTTLING.contains(&code) {
                ErrorKind::Throttled
            } else if DENIED.contains(&code) {
                ErrorKind::AccessDenied
            } else if status == 503 {
                ErrorKind::ServiceUnavailable
            } else if !(300..500).contains(&status) {
                // A success whose body breaks off did take effect, and what it was is not known.
                ErrorKind::OutcomeUnknown
            } else {
                ErrorKind::Internal
            };
            Error::new(kind, format!("{action}: {code}: {said}"))
        }
        _ => Error::new(ErrorKind::Internal, format!("{action}: {}", chain(error))),
    }
}

/// The service's error code, if it answered with one.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> Option<&str> {
    match error {
        SdkError::ServiceError(service) => service.err().code(),
        _ => None,
    }
}

/// The service's message, if it answered with one.
pub fn message<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> &str {
    match error {
        SdkError::ServiceError(service) => service.err().message().unwrap_or_default(),
        _ => "",
    }
}

fn circuit_open<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a CircuitOpen> {
    let mut error = error;
    loop {
        match error.downcast_ref() {
            Some(open) => return Some(open),
            None => error = error.source()?,
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
