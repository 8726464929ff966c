//! A letter as a mail (RFC 5322): text and HTML beside each other.

use std::time::SystemTime;

use anyhow::Context;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

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
            .multipart(MultiPart::alternative_plain_html(text, html))
            .context("it can't be made a mail")
    }
}
