//! Mails that were received, taken apart.

use std::path::Path;

use mail_parser::MessageParser;

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub raw: Vec<u8>,
    pub to: String,
    pub from: String,
    pub subject: String,
    pub message_id: String,
    pub text: String,
    pub html: String,
}

impl Received {
    pub fn parse(raw: &[u8]) -> Received {
        let mail = MessageParser::default().parse(raw).expect("a mail");
        let body = |text: Option<std::borrow::Cow<'_, str>>| text.expect("both parts").replace("\r\n", "\n");
        let address = |from: Option<&mail_parser::Address<'_>>| {
            let mut all = from.expect("an address").iter();
            let address = all.next().and_then(|one| one.address()).expect("an address").to_owned();
            assert!(all.next().is_none(), "more than one address");
            address
        };
        assert_eq!((mail.text_body_count(), mail.html_body_count()), (1, 1));
        Received {
            raw: raw.to_owned(),
            to: address(mail.to()),
            from: address(mail.from()),
            subject: mail.subject().unwrap().to_owned(),
            message_id: mail.message_id().unwrap().to_owned(),
            text: body(mail.body_text(0)),
            html: body(mail.body_html(0)),
        }
    }

    /// Those that were written as files, the oldest first.
    pub fn all_in(folder: &Path) -> Vec<Received> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
        files.sort();
        files.iter().map(|file| Received::parse(&std::fs::read(file).unwrap())).collect()
    }

    /// The one link in it with this in its path.
    pub fn link(&self, part: &str) -> &str {
        let links = self.text.split_whitespace().filter(|word| word.starts_with("http"));
        let mut links = links.filter(|word| word.contains(part));
        let link = links.next().unwrap_or_else(|| panic!("no link with {part} in {}", self.text));
        assert!(links.all(|other| other == link), "several links with {part} in {}", self.text);
        link
    }

    /// The lines of its head, without those that it was folded into.
    pub fn head(&self) -> Vec<String> {
        let raw = String::from_utf8(self.raw.clone()).unwrap();
        let head = raw.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ").replace("\r\n\t", " ");
        head.split("\r\n").map(str::to_owned).collect()
    }
}
