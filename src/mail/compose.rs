//! A letter as a mail (RFC 5322): text and HTML beside each other.

use std::time::SystemTime;

use anyhow::Context;
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};

use super::letter::{Content, Template, one_line};
use super::templates::Templates;
use crate::config::Config;
use crate::store::mails::Outgoing;

/// What all mails have alike.
pub(super) struct Composer {
    templates: Templates,
    from: Mailbox,
    /// What `Message-ID` ends with.
    host: String,
}

impl Composer {
    pub fn new(config: &Config) -> anyhow::Result<Composer> {
        let from = config.mail_from();
        let templates = Templates::load(config.mail_templates.as_deref(), &config.public_url)?;
        Ok(Composer { templates, host: from.host(), from: from.0 })
    }

    /// The same each time, but for the line that divides its parts.
    pub fn compose(&self, mail: &Outgoing, template: Template, content: &Content) -> anyhow::Result<Message> {
        let (subject, text) = self.templates.text(template, &content.values)?;
        let html = self.templates.html(template, &content.values)?;
        let to = content.to.parse().context("its recipient is not an address")?;
        // No answer from a program that is on holiday (RFC 3834).
        let automatic =
            HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            // A word that looks encoded (RFC 2047) would be decoded by who reads it.
            .subject(one_line(&subject).replace("=?", "= ?"))
            .date(SystemTime::from(mail.created_at))
            .message_id(Some(format!("<{}@{}>", mail.id, self.host)))
            .raw_header(automatic)
            .multipart(MultiPart::alternative().singlepart(plain(text)).singlepart(SinglePart::html(html)))
            .context("it can't be made a mail")
    }
}

/// What a line may have (RFC 5322 section 2.1.1).
const LINE_BYTES: usize = 998;

/// The text as it is, wherever the standard allows that: a link in a mail that became a file is then one to copy. lettre by itself
/// encodes what has lines of more than 76 characters.
fn plain(text: String) -> SinglePart {
    let fits =
        |line: &str| line.len() <= LINE_BYTES && line.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if !text.lines().all(fits) {
        return SinglePart::plain(text);
    }
    let lines: String = text.lines().flat_map(|line| [line, "\r\n"]).collect();
    let body = Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::SevenBit);
    SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body)
}
