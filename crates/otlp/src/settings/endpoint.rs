//! Where requests go.

use http::Uri;
use http::uri::{Authority, PathAndQuery};

/// A place on the network, and the path of requests to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// TLS is spoken.
    pub is_https: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Host and port as they were written.
    pub authority: Authority,
    /// What is asked for there.
    pub path: PathAndQuery,
}

impl Endpoint {
    /// What this URL says. A port that is not named is that of the scheme, 80 or 443.
    ///
    /// # Errors
    /// The reason, where it names no such place.
    pub fn parse(url: &str) -> Result<Self, String> {
        let Some((scheme, _)) = url.split_once("://") else {
            return Err("it begins with neither http:// nor https://".into());
        };
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err("it begins with neither http:// nor https://".into()),
        };
        let uri: Uri = url.parse().map_err(|error| format!("it is no URL: {error}"))?;
        let authority = uri.authority().cloned().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("what comes before the host is not sent; use a header".into());
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            None | Some("") if is_https => 443,
            None | Some("") => 80,
            Some(port) => {
                let port = port.strip_prefix(':').and_then(|port| port.parse().ok());
                port.ok_or("its port is none")?
            }
        };
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let path = uri.path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { is_https, host, port, authority, path })
    }

    /// The same place, with this path after its own.
    ///
    /// # Errors
    /// The reason, where there is a query, which nothing can come after.
    pub fn under(self, path: &str) -> Result<Self, String> {
        if self.path.query().is_some() {
            return Err(format!("it has a query, after which {path} cannot come"));
        }
        let path = format!("{}{path}", self.path.path().trim_end_matches('/'));
        let path = path.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { path, ..self })
    }

    /// The same place for a method of gRPC.
    ///
    /// # Errors
    /// The reason, where it has a path: gRPC has one of its own.
    pub fn method(self, path: &'static str) -> Result<Self, String> {
        if self.path.as_str() != "/" {
            return Err(format!("gRPC has no path such as {}", self.path));
        }
        Ok(Self { path: PathAndQuery::from_static(path), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_taken_apart() {
        let endpoint = Endpoint::parse("https://[::1]:4318/base/").unwrap();
        assert_eq!((endpoint.is_https, &*endpoint.host, endpoint.port), (true, "::1", 4318));
        assert_eq!(endpoint.clone().under("/v1/logs").unwrap().path, "/base/v1/logs");
        assert!(endpoint.method("/a/b").unwrap_err().contains("/base/"));
        let endpoint = Endpoint::parse("http://collector").unwrap();
        assert_eq!((endpoint.is_https, endpoint.port), (false, 80));
        assert_eq!(endpoint.clone().under("/v1/metrics").unwrap().path, "/v1/metrics");
        assert_eq!(endpoint.method("/a/b").unwrap().path, "/a/b");
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_reason() {
        for (url, why) in [
            ("localhost:4317", "neither http://"),
            ("collector", "neither http://"),
            ("grpc://a:1", "neither http://"),
            ("http://", "no URL"),
            ("http://a b/", "no URL"),
            ("http://a:99999/", "port"),
            ("http://ann:pw@a/", "use a header"),
        ] {
            let error = Endpoint::parse(url).unwrap_err();
            assert!(error.contains(why), "{url}: {error}");
        }
        let with_query = Endpoint::parse("http://a/?b=c").unwrap();
        assert!(with_query.under("/v1/logs").unwrap_err().contains("query"));
    }
}
