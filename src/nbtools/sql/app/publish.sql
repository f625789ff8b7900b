-- Gives freshly built event tables the app's names, which must be free.
-- Parameters: feed Identifier, messages Identifier
RENAME TABLE
    app.{messages:Identifier} TO app.message_actions,
    app.{feed:Identifier} TO app.feed_actions
