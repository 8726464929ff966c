//! A name for whichever server is the primary, as HAProxy or a virtual address is one.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections to one server at a time.
pub struct Switch {
    address: String,
    target: watch::Sender<String>,
}

impl Switch {
    pub async fn to(target: String) -> Switch {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (target, followed) = watch::channel(target);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, followed.clone()));
            }
        });
        Switch { address, target }
    }

    /// The URL of a server, by way of this.
    pub fn url(&self, url: &str) -> String {
        url.replacen(&*self.target.borrow(), &self.address, 1)
    }

    /// Connections to the one before are cut.
    pub fn switch(&self, target: String) {
        self.target.send_replace(target);
    }
}

async fn forward(mut client: TcpStream, mut target: watch::Receiver<String>) {
    let address = target.borrow_and_update().clone();
    let Ok(mut server) = TcpStream::connect(address).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = target.changed() => {}
    }
}
