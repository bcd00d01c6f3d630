//! XML as the query protocol of RDS writes it.

use std::fmt::Display;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};

use crate::error::RdsError;
use crate::state::Tags;

const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

/// Elements, written in order.
#[derive(Default)]
pub(crate) struct Xml(String);

impl Xml {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// `<name>value</name>`, escaped.
    pub(crate) fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.open(name);
        self.inner(value);
        self.close(name)
    }

    /// A value alone, escaped: what is in an element of a list of texts.
    pub(crate) fn inner(&mut self, value: impl Display) -> &mut Self {
        for c in value.to_string().chars() {
            match c {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                '\r' => self.0.push_str("&#13;"),
                // XML 1.0 has no way to write the other control characters.
                c if c.is_control() && c != '\n' && c != '\t' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        self
    }

    /// [`Xml::text`], when there is a value.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// `<name>…</name>`.
    pub(crate) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name);
        inside(self);
        self.close(name)
    }

    /// `<name><item>…</item>…</name>`.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        item: &str,
        items: impl IntoIterator<Item = T>,
        each: impl Fn(&mut Self, T),
    ) -> &mut Self {
        self.element(name, |xml| {
            for one in items {
                xml.element(item, |xml| each(xml, one));
            }
        })
    }

    /// `<TagList>`.
    pub(crate) fn tags(&mut self, tags: &Tags) -> &mut Self {
        self.list("TagList", "Tag", tags, |xml, (key, value)| {
            xml.text("Key", key).text("Value", value);
        })
    }

    fn open(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }
}

/// The answer to an action that worked. Actions without a result have no result element.
pub(crate) fn answer(action: &str, result: Option<Xml>, request_id: &str) -> Response<Body> {
    let mut xml = Xml::new();
    if let Some(result) = result {
        xml.element(&format!("{action}Result"), |xml| xml.0.push_str(&result.0));
    }
    xml.element("ResponseMetadata", |xml| {
        xml.text("RequestId", request_id);
    });
    let body = format!("<{action}Response xmlns=\"{NAMESPACE}\">{}</{action}Response>", xml.0);
    response(200, body, request_id)
}

/// The answer to an action that did not.
pub(crate) fn failure(error: &RdsError, request_id: &str) -> Response<Body> {
    let mut xml = Xml::new();
    xml.element("Error", |xml| {
        xml.text("Type", if error.status < 500 { "Sender" } else { "Receiver" });
        xml.text("Code", &error.code).text("Message", &error.message);
    });
    xml.text("RequestId", request_id);
    let body = format!("<ErrorResponse xmlns=\"{NAMESPACE}\">{}</ErrorResponse>", xml.0);
    response(error.status, body, request_id)
}

fn response(status: u16, body: String, request_id: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/xml"));
    if let Ok(value) = header::HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut xml = Xml::new();
        xml.text("A", "<&>\"\u{1}");
        assert_eq!(xml.0, "<A>&lt;&amp;&gt;&quot;\u{fffd}</A>");
    }
}
