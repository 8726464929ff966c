//! How most of these tests go: all is well for a while, something goes wrong, and in the end all that was acknowledged is there.

use std::sync::Arc;
use std::time::Duration;

use crate::load::Load;
use crate::program::{Place, Server};
use crate::service::Service;
use crate::setting::stop;

/// How long all is well before a fault and after it.
const CALM: Duration = Duration::from_secs(2);

/// A service, and clients who are at work on it all the while.
pub struct Trial {
    pub server: Server,
    pub service: Arc<Service>,
    pub load: Load,
}

impl Trial {
    pub fn begin(place: &Place, clients: usize) -> Trial {
        let server = place.serve(&[]);
        let service = Arc::new(Service::at(&server.url));
        let load = Load::start(&service, clients);
        Trial { server, service, load }
    }

    pub async fn calm(&self) {
        tokio::time::sleep(CALM).await;
    }

    /// The cause is gone: demands that all goes on, in time.
    pub async fn is_back(&self) {
        self.service.is_left_alone();
        self.load.is_back().await;
    }

    /// Ends it, and demands that the service kept its word.
    pub async fn ends(self) {
        self.calm().await;
        self.service.keeps(&self.load.stop().await).await;
        stop(self.server);
    }
}
