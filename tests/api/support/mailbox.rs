//! The mails that a server has written as files.

use super::Server;
use super::post::Received;

impl Received {
    /// Where the only link with a token leads, and the token.
    pub fn page_and_token(&self) -> (String, String) {
        let link = self.link("?token=");
        let (page, token) = link.split_once("?token=").unwrap();
        assert!(self.html.contains(token), "{token} is not in {}", self.html);
        (page.to_owned(), token.to_owned())
    }

    pub fn token(&self) -> String {
        self.page_and_token().1
    }
}

impl Server {
    /// The mails to this address so far.
    pub async fn mails_to(&self, address: &str) -> Vec<Received> {
        self.mails().await.into_iter().filter(|mail| mail.to == address).collect()
    }

    /// The last mail to this address.
    pub async fn last_mail_to(&self, address: &str) -> Received {
        self.mails_to(address).await.pop().unwrap_or_else(|| panic!("no mail to {address}"))
    }
}
