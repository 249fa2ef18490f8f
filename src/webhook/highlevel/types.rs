//! The names of HighLevel's webhook types.

/// What a Workflow's webhook is stored as: its body carries no type.
pub const WORKFLOW: &str = "Workflow";

/// Whether an event of this type only says that a record changed: of several, the newest state is all that matters.
pub fn is_update(kind: &str) -> bool {
    matches!(kind, "ContactUpdate" | "ContactTagUpdate" | "ContactDndUpdate" | WORKFLOW)
}

/// Every type HighLevel documents, as it stands in the payload. Some documents' samples carry none, or another's:
/// a payload is what its `type` says it is, and one without is stored as `unknown`.
pub const DOCUMENTED: [&str; 58] = [
    "AppointmentCreate",
    "AppointmentDelete",
    "AppointmentUpdate",
    "AssociationCreate",
    "AssociationDelete",
    "AssociationUpdate",
    "CampaignStatusUpdate",
    "ContactCreate",
    "ContactDelete",
    "ContactDndUpdate",
    "ContactTagUpdate",
    "ContactUpdate",
    "ConversationUnreadUpdate",
    "INSTALL",
    "InboundMessage",
    "InvoiceCreate",
    "InvoiceDelete",
    "InvoicePaid",
    "InvoicePartiallyPaid",
    "InvoiceSent",
    "InvoiceUpdate",
    "InvoiceVoid",
    "LCEmailStats",
    "LocationCreate",
    "LocationUpdate",
    "NoteCreate",
    "NoteDelete",
    "NoteUpdate",
    "ObjectSchemaCreate",
    "ObjectSchemaUpdate",
    "OpportunityAssignedToUpdate",
    "OpportunityCreate",
    "OpportunityDelete",
    "OpportunityMonetaryValueUpdate",
    "OpportunityStageUpdate",
    "OpportunityStatusUpdate",
    "OpportunityUpdate",
    "OrderCreate",
    "OrderStatusUpdate",
    "OutboundMessage",
    "PLAN_CHANGE",
    "PriceCreate",
    "PriceDelete",
    "PriceUpdate",
    "ProductCreate",
    "ProductDelete",
    "ProductUpdate",
    "ProviderOutboundMessage",
    "RecordCreate",
    "RecordDelete",
    "RecordUpdate",
    "RelationCreate",
    "RelationDelete",
    "TaskComplete",
    "TaskCreate",
    "TaskDelete",
    "UNINSTALL",
    "UserCreate",
];
