//! The signed record of a drill: what `plan` makes of the journal, signed and written.

use backup::SignedEvidence;
use plan::{Output, set::SetId};

use super::LiveWorld;
use crate::{SoFar, StepError};

impl LiveWorld {
    pub(super) fn write_evidence(&self, set: &SetId, so_far: SoFar<'_>) -> Result<Output, StepError> {
        let evidence = plan::evidence(so_far.plan, so_far.progress)
            .ok_or_else(|| StepError::failed(format!("set {set} was not verified by this run")))?;
        let signed =
            SignedEvidence::sign(evidence, &self.keyring.signer_fingerprint(), |bytes| self.signature(bytes))
                .map_err(|err| StepError::chain(&err))?;
        let path = signed.write(&self.home.evidence()).map_err(|err| StepError::chain(&err))?;
        Ok(Output::Wrote { path: path.display().to_string() })
    }
}
