//! Gemini's `generateContent` format; models speak it, clients do not.
