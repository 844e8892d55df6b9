//! A join link, and the socket it leads to.

use anyhow::{Context as _, bail};
use maya_protocol::ids::SessionId;
use url::{Position, Url};

/// Where a candidate's socket is, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// `ws://…/ws?sessionId=…&tenantId=…&token=…`
    pub socket: Url,
    /// The session the link opens.
    pub session: SessionId,
}

impl Link {
    /// The same session's socket at another edge: scheme, host and port are that one's.
    pub fn through(&self, edge: &Url) -> anyhow::Result<Url> {
        let host = &edge[Position::BeforeHost..Position::AfterPort];
        let rest = &self.socket[Position::BeforePath..];
        Ok(Url::parse(&format!("{}://{host}{rest}", scheme(edge)?))?)
    }
}

fn scheme(url: &Url) -> anyhow::Result<&'static str> {
    match url.scheme() {
        "https" | "wss" => Ok("wss"),
        "http" | "ws" => Ok("ws"),
        other => bail!("a link begins with http:// or https://, not {other}://"),
    }
}

/// Reads a join link (`…/join?…`) or a socket's address (`…/ws?…`).
pub fn parse(join: &Url) -> anyhow::Result<Link> {
    let value = |name: &str| join.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    for name in ["sessionId", "tenantId", "token"] {
        if value(name).is_none_or(|value| value.is_empty()) {
            bail!("the join link has no {name}");
        }
    }
    let session = value("sessionId").unwrap_or_default().parse().context("the join link's sessionId")?;
    let mut socket = join.clone();
    let scheme = scheme(join)?;
    let path = join.path().trim_end_matches('/');
    let base = path.strip_suffix("/join").or_else(|| path.strip_suffix("/ws")).unwrap_or(path);
    socket.set_path(&format!("{base}/ws"));
    socket.set_fragment(None);
    // `set_scheme` refuses to cross between kinds of schemes, hence text
    let rest = socket.as_str().split_once(':').map_or("", |(_, rest)| rest);
    Ok(Link { socket: Url::parse(&format!("{scheme}:{rest}"))?, session })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_lead_to_the_socket() {
        let id = SessionId::fresh();
        let query = format!("sessionId={id}&tenantId=t&token=a.b.c");
        for (given, socket) in [
            (format!("https://host/base/join?{query}"), format!("wss://host/base/ws?{query}")),
            (format!("http://127.0.0.1:8080/join?{query}#top"), format!("ws://127.0.0.1:8080/ws?{query}")),
            (format!("ws://127.0.0.1:8080/ws?{query}"), format!("ws://127.0.0.1:8080/ws?{query}")),
        ] {
            let link = parse(&given.parse().unwrap()).unwrap();
            assert_eq!((link.socket.as_str(), link.session), (socket.as_str(), id));
        }
        let link = parse(&format!("http://127.0.0.1:8080/base/join?{query}").parse().unwrap()).unwrap();
        let other = link.through(&"https://edge-2:9000".parse().unwrap()).unwrap();
        assert_eq!(other.as_str(), format!("wss://edge-2:9000/base/ws?{query}"));
        assert!(parse(&format!("http://h/join?sessionId={id}&tenantId=t").parse().unwrap()).is_err());
    }
}
