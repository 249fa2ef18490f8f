//! What a webhook and the calls that came of it share (W3C Trace Context, level 1).

use std::fmt;
use std::future::Future;

/// A trace's id. A sender that traces gives its own in `traceparent`; otherwise it is the event's id, which has the same
/// 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

tokio::task_local! {
    static CURRENT: (TraceId, [u8; 8]);
}

/// A new span's id, which is not all zeros.
pub fn span_id() -> [u8; 8] {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes[7] |= 1;
    bytes
}

impl TraceId {
    /// Reads `traceparent`; none if it is not of the form that the specification gives.
    pub fn from_header(value: &str) -> Option<Self> {
        let mut parts = value.trim().split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // Version 00 has four parts; a later one may have more.
        let is_known = version.len() == 2 && version != "ff" && (version != "00" || parts.next().is_none());
        let is_hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !is_known || !is_hex(version, 2) || !is_hex(parent, 16) || !is_hex(flags, 2) || !is_hex(trace, 32)
        {
            return None;
        }
        let mut bytes = [0; 16];
        hex::decode_to_slice(trace, &mut bytes).ok()?;
        let is_valid = bytes != [0; 16] && parent.bytes().any(|byte| byte != b'0');
        is_valid.then_some(Self(bytes))
    }

    /// The value of `traceparent` for a call with this span's id.
    pub fn header(self, span: [u8; 8]) -> String {
        format!("00-{self}-{}-01", hex::encode(span))
    }

    /// The trace of an event that was stored with this one.
    pub fn of(given: Option<[u8; 16]>, event: uuid::Uuid) -> Self {
        Self(given.unwrap_or(event.into_bytes()))
    }

    /// Runs work as a span of this trace.
    pub async fn within<F: Future>(self, span: [u8; 8], work: F) -> F::Output {
        CURRENT.scope((self, span), work).await
    }

    /// The trace that the present work is part of.
    pub fn current() -> Option<Self> {
        Self::current_span().map(|(trace, _)| trace)
    }

    /// The same with the span.
    pub fn current_span() -> Option<(Self, [u8; 8])> {
        CURRENT.try_with(|current| *current).ok()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_read_as_the_specification_says() {
        let trace = TraceId::from_header(EXAMPLE).unwrap();
        assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.header([0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]), EXAMPLE);
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "zz-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceId::from_header(wrong), None, "{wrong}");
        }
        let later = format!("cc{}-what-comes", &EXAMPLE[2..]);
        assert_eq!(TraceId::from_header(&later), Some(trace));
    }

    #[tokio::test]
    async fn work_knows_its_trace_and_nobody_elses() {
        assert_eq!(TraceId::current(), None);
        let one = TraceId([1; 16]);
        assert_eq!(one.within([2; 8], async { TraceId::current() }).await, Some(one));
        assert_eq!(TraceId::current(), None);
    }
}
