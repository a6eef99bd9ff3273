#include "broker/page_words.h"

namespace mcp_oauth {
namespace {

constexpr page_words from_the_start = {
    "This sign-in is over or was not started here",
    "Nothing is wrong with your account. Close this page, go to your client and connect again from there."};

constexpr page_words faulty_client = {"The program that sent you here made a mistake",
                                      "Nothing is wrong with your account, and you cannot mend it here. "
                                      "Update the program, try again, and if it "
                                      "persists show this page to those who make it."};

constexpr page_words unreadable_client = {
    "The program that sent you here could not be checked",
    "It names a web address that should describe it, and that address gives no usable answer. Try again in a "
    "minute; if it persists, show this page to those who make the program."};

constexpr page_words provider_at_fault = {"The sign-in service gave no usable answer",
                                          "Nothing is wrong with your account. Go to your client and connect "
                                          "again in a minute; if it persists, show "
                                          "this page to whoever runs this server."};

constexpr page_words busy = {"This server is busy", "Wait a minute, go back and try again."};

constexpr page_words our_fault = {"Something went wrong on this server",
                                  "You did nothing wrong. Try again in a minute; if it persists, show this "
                                  "page to whoever runs this server."};

}  // namespace

page_words words_for_people(errc code) {
  switch (code) {
    case errc::state_invalid: return from_the_start;
    case errc::state_expired:
      return {"This sign-in took too long",
              "For your safety a sign-in must be finished within some minutes. Go to your client and connect "
              "again from there."};
    case errc::state_foreign_browser:
      return {"This sign-in was started in another browser",
              "Go to your client, connect again, and stay in the browser that opens. If this one deletes or "
              "blocks cookies, allow them for this address. If somebody sent you the link, close this page."};
    case errc::consent_forged:
      return {
          "This approval could not be trusted",
          "The page was open for too long, or another site sent you here. Go to your client, connect again "
          "and approve on the page that opens."};
    case errc::consent_denied: return {"Access was denied", "Nothing was granted. You can close this page."};
    case errc::login_required:
      return {"There is no sign-in in progress",
              "A sign-in begins in your client: connect there, and the right page opens by itself."};
    case errc::login_failed:
      return {
          "User name or password is wrong",
          "Go back and try again. If you forgot the password, ask whoever runs this server for a new one."};
    case errc::login_throttled: return {"Too many wrong passwords", "Wait a little, go back and try again."};
    case errc::user_not_allowed:
      return {"You may not sign in here",
              "Your account is not on this server's list. Sign in with another account, or ask whoever runs "
              "this server to add you."};
    case errc::password_unacceptable:
      return {"That password will not do", "Go back and choose another one of at least 10 characters."};

    case errc::client_unknown:
      return {"This program is not known here any more",
              "In your client, remove the stored sign-in of this server (mcp-remote: delete ~/.mcp-auth) and "
              "connect again."};
    case errc::client_not_allowed:
      return {"This program may not ask for that",
              "It is known here, but not for this kind of sign-in. In your client, remove the stored sign-in "
              "of this server and connect again."};
    case errc::redirect_uri_mismatch:
      return {
          "This program asked to send you to an address it never named",
          "You were not sent there, because the address might not belong to it. In your client, remove the "
          "stored sign-in of this server and connect again. If you did not just start a sign-in, close "
          "this page."};
    case errc::redirect_uri_missing:
    case errc::redirect_uri_refused:
      return {
          "This program did not give an address where you can be sent",
          "You stay here because the way back is missing or not safe. In your client, remove the stored "
          "sign-in of this server and connect again; if it persists, show this page to those who make the "
          "program."};
    case errc::client_document_unreachable:
    case errc::client_document_refused:
    case errc::client_document_invalid: return unreadable_client;

    case errc::parameter_missing:
    case errc::parameter_repeated:
    case errc::parameter_malformed:
    case errc::parameter_too_long:
    case errc::response_type_unsupported:
    case errc::response_mode_unsupported:
    case errc::pkce_missing:
    case errc::pkce_method_plain:
    case errc::pkce_method_unsupported:
    case errc::pkce_malformed:
    case errc::http_media_type_unsupported:
    case errc::body_too_large: return faulty_client;
    case errc::scope_unknown:
      return {"This program asked for rights that do not exist here",
              "In your client, look at the scopes of this server's entry, or remove its stored sign-in, and "
              "connect again."};
    case errc::resource_unknown:
      return {"This program asked for another server",
              "The address of the MCP server in your client is not one that is served here. Compare it with "
              "the one you were given, letter by letter, and connect again."};

    case errc::provider_unreachable:
    case errc::provider_metadata_invalid:
    case errc::provider_token_invalid:
    case errc::provider_issuer_mismatch:
    case errc::provider_nonce_mismatch: return provider_at_fault;
    case errc::provider_redirect_uri_mismatch:
    case errc::provider_client_refused:
    case errc::provider_setup_incomplete:
      return {
          "The sign-in service is not set up for this server yet",
          "Nothing is wrong with your account, and you cannot mend it here. Show this page to whoever runs "
          "this server: below stands what to change."};
    case errc::provider_consent_missing:
      return {"The sign-in service needs a consent first",
              "Go to your client, connect again and consent when you are asked. If you are told that an "
              "administrator must approve, show this page to them."};
    case errc::provider_account_refused:
      return {
          "The sign-in service does not let this account in",
          "Go to your client and connect again with another account, or show this page to whoever runs this "
          "server."};
    case errc::provider_sign_in_needed:
    case errc::provider_code_lost:
      return {"The sign-in service wants you to sign in again", "Go to your client and connect again."};
    case errc::provider_refused:
      return {
          "The sign-in service refused",
          "You may have cancelled, or your account may not use this server. Go to your client and connect "
          "again, with another account if you have one."};

    case errc::too_many_requests:
    case errc::too_many_connections:
    case errc::overloaded:
    case errc::store_busy:
    case errc::store_unreachable:
    case errc::store_starting:
    case errc::store_connections_used_up:
    case errc::store_unavailable: return busy;

    default: return our_fault;
  }
}

std::string_view meaning_of_scope(std::string_view scope) {
  if (scope == "mcp") return "call the tools of this server as you";
  if (scope == "offline_access") return "stay signed in until you revoke it";
  return {};
}

}  // namespace mcp_oauth
