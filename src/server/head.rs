//! What Pingora's parser lets through and a gateway must not: the ways two parsers can read one request differently
//! (request smuggling), heads that are too large, hosts that are not ours (DNS rebinding) and foreign origins.

use http::{HeaderMap, StatusCode, Version, header};
use memchr::{memchr_iter, memmem};
use pingora_core::protocols::http::ServerSession;

/// Largest head, in bytes. Browsers and proxies stop at 8 to 64 KiB.
const MAX_HEAD: usize = 64 << 10;

/// A head that is refused before any route sees it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    #[error("the request head has a line that ends without a carriage return")]
    BareLineFeed,
    #[error("the request has both content-length and transfer-encoding")]
    TwoLengths,
    #[error("the content-length is not one number")]
    ContentLength,
    #[error("the only transfer-encoding served is `chunked`")]
    TransferEncoding,
    #[error("the request head is larger than {MAX_HEAD} bytes")]
    TooLarge,
    #[error("the request names no host, or more than one")]
    NoHost,
    #[error("the host `{0}` is not served here; add it to listen.hosts if it should be")]
    ForeignHost(String),
    #[error("requests from the origin `{0}` are not allowed; add it to listen.cors if they should be")]
    ForeignOrigin(String),
}

impl HeadError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BareLineFeed | Self::TwoLengths | Self::ContentLength | Self::TransferEncoding | Self::NoHost => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::ForeignHost(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::ForeignOrigin(_) => StatusCode::FORBIDDEN,
        }
    }

    /// Whether the connection can go on: after an ambiguous head nobody knows where the next request begins.
    pub(super) fn framing_is_sound(&self) -> bool {
        matches!(self, Self::NoHost | Self::ForeignHost(_) | Self::ForeignOrigin(_))
    }
}

/// Which hosts and origins a listener serves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admission<'a> {
    /// Host names without port, lower case.
    pub(super) hosts: &'a [String],
    /// Origins, as browsers send them.
    pub(super) cors: &'a [String],
}

impl Admission<'_> {
    pub(super) fn check(&self, session: &ServerSession) -> Result<(), HeadError> {
        if let Some(http1) = session.as_http1() {
            let head = session.req_header();
            check_raw(&http1.get_headers_raw_bytes(), head.version, &head.headers)?;
        }
        let head = session.req_header();
        // HTTP/2 carries the host in `:authority`, which Pingora keeps in the URI.
        let authority = head.uri.authority().map(http::uri::Authority::as_str);
        self.check_names(&head.headers, authority)
    }

    /// Whether host and origin are ours. A target in absolute form, and HTTP/2, may name the host a second time; both
    /// names must be ours, for nobody knows by which one a proxy before us went.
    fn check_names(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<(), HeadError> {
        let mut named = headers.get_all(header::HOST).iter();
        let host = match (named.next(), named.next()) {
            (host, None) => host.map(|host| host.to_str().map_err(|_| HeadError::NoHost)).transpose()?,
            _ => return Err(HeadError::NoHost),
        };
        if host.is_none() && authority.is_none() {
            return Err(HeadError::NoHost);
        }
        for host in [host, authority].into_iter().flatten() {
            if !self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(without_port(host))) {
                return Err(HeadError::ForeignHost(printable(host)));
            }
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        match origin.to_str() {
            Ok(origin) if self.cors.iter().any(|ours| ours == origin) => Ok(()),
            Ok(origin) => Err(HeadError::ForeignOrigin(printable(origin))),
            Err(_) => Err(HeadError::ForeignOrigin("?".to_owned())),
        }
    }
}

/// The head as it came, before Pingora's parser mended it.
fn check_raw(raw: &[u8], version: Version, headers: &HeaderMap) -> Result<(), HeadError> {
    if raw.len() > MAX_HEAD {
        return Err(HeadError::TooLarge);
    }
    if memchr_iter(b'\n', raw).any(|at| at == 0 || raw[at - 1] != b'\r') {
        return Err(HeadError::BareLineFeed);
    }
    if let Some(encoding) = headers.get(header::TRANSFER_ENCODING) {
        // Pingora has removed content-length by now, so only the raw head still shows both.
        if memmem::find(&raw.to_ascii_lowercase(), b"\ncontent-length:").is_some() {
            return Err(HeadError::TwoLengths);
        }
        // A proxy that speaks HTTP/1.0 knows no chunks: it would have read another body (RFC 9112, 6.1).
        let once = headers.get_all(header::TRANSFER_ENCODING).iter().count() == 1;
        if version < Version::HTTP_11 || !once || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(HeadError::TransferEncoding);
        }
    }
    // Pingora takes `5, 5` and the like for no length at all, and the body for the next request.
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(()),
        (Some(length), None) if !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit) => Ok(()),
        _ => Err(HeadError::ContentLength),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // A colon inside brackets belongs to an IPv6 address.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Foreign names go into an error body: cut, and only what cannot break a line.
fn printable(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_two_parsers_could_read_differently_is_refused() {
        let mut headers = HeaderMap::new();
        assert_eq!(check_raw(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", Version::HTTP_11, &headers), Ok(()));
        assert_eq!(check_raw(b"GET / HTTP/1.1\nhost: a\n\n", Version::HTTP_11, &headers), Err(HeadError::BareLineFeed));
        headers.insert(header::TRANSFER_ENCODING, "chunked".parse().unwrap());
        let both = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(check_raw(both, Version::HTTP_11, &headers), Err(HeadError::TwoLengths));
        let chunked = b"POST / HTTP/1.0\r\n\r\n";
        assert_eq!(check_raw(chunked, Version::HTTP_11, &headers), Ok(()));
        assert_eq!(check_raw(chunked, Version::HTTP_10, &headers), Err(HeadError::TransferEncoding));
        headers.insert(header::TRANSFER_ENCODING, "gzip, chunked".parse().unwrap());
        assert_eq!(check_raw(b"POST / HTTP/1.1\r\n\r\n", Version::HTTP_11, &headers), Err(HeadError::TransferEncoding));
        headers.remove(header::TRANSFER_ENCODING);
        for (length, expected) in
            [("12", Ok(())), ("5, 5", Err(HeadError::ContentLength)), ("+5", Err(HeadError::ContentLength))]
        {
            headers.insert(header::CONTENT_LENGTH, length.parse().unwrap());
            assert_eq!(check_raw(b"POST / HTTP/1.1\r\n\r\n", Version::HTTP_11, &headers), expected, "{length}");
        }
    }

    #[test]
    fn a_foreign_host_is_refused_wherever_it_is_named() {
        let admission = Admission { hosts: &["localhost".to_owned()], cors: &[] };
        let mut headers = HeaderMap::new();
        assert_eq!(admission.check_names(&headers, None), Err(HeadError::NoHost));
        assert_eq!(admission.check_names(&headers, Some("localhost:4000")), Ok(()));
        headers.insert(header::HOST, "LOCALHOST".parse().unwrap());
        assert_eq!(admission.check_names(&headers, None), Ok(()));
        assert_eq!(admission.check_names(&headers, Some("localhost")), Ok(()));
        let foreign = Err(HeadError::ForeignHost("evil.example".to_owned()));
        assert_eq!(admission.check_names(&headers, Some("evil.example")), foreign);
        headers.insert(header::HOST, "evil.example".parse().unwrap());
        assert_eq!(admission.check_names(&headers, Some("localhost")), foreign);
        headers.append(header::HOST, "localhost".parse().unwrap());
        assert_eq!(admission.check_names(&headers, None), Err(HeadError::NoHost));
    }

    #[test]
    fn ports_are_not_part_of_a_host_but_brackets_are() {
        assert_eq!(without_port("localhost:4000"), "localhost");
        assert_eq!(without_port("[::1]:4000"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
        assert_eq!(without_port("localhost"), "localhost");
    }
}
