//! The password of a database server, where its local socket asks for one: from the service's own settings.

use secrets::Secret;
use stack::ServiceName;

use super::LiveWorld;
use crate::{StepError, contents::ReleaseContents};

impl LiveWorld {
    /// What the service is told in `release` as `POSTGRES_PASSWORD` or `POSTGRES_PASSWORD_FILE`; `None` where it is
    /// told neither.
    pub(super) fn database_password(
        &self,
        service: &ServiceName,
        release: u64,
    ) -> Result<Option<Secret<String>>, StepError> {
        use host::Contents;
        let Some(settings) = self.shape.services.get(service) else { return Ok(None) };
        let (materials, versions) = self.release_contents(Some(release))?;
        let store = self.store();
        let contents =
            ReleaseContents { dir: &self.place, store: &store, materials: &materials, versions: &versions };
        if let Some(Some(text)) = settings.environment.get("POSTGRES_PASSWORD") {
            return contents.text(text).map(Some).map_err(|err| StepError::chain(&err));
        }
        let Some(Some(path)) = settings.environment.get("POSTGRES_PASSWORD_FILE") else { return Ok(None) };
        let path = path.to_string();
        let Some(file) = settings.files.iter().find(|file| file.target == path) else { return Ok(None) };
        let delivered = plan::Delivered {
            target: path,
            source: file.source.clone(),
            version: None,
            uid: file.uid,
            gid: file.gid,
            mode: file.mode,
        };
        let bytes = contents.file(&delivered).map_err(|err| StepError::chain(&err))?;
        let text = String::from_utf8_lossy(bytes.expose()).trim_end_matches(['\n', '\r']).to_owned();
        Ok(Some(Secret::new(text)))
    }
}
