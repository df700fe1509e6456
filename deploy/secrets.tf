# The secrets' places. What they hold is added with gcloud (docs/deploy.md), so that it is in no file and no state.

resource "google_secret_manager_secret" "api_token" {
  secret_id  = "api-token"
  depends_on = [google_project_service.needed]
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret" "prefect_auth" {
  secret_id  = "prefect-auth"
  depends_on = [google_project_service.needed]
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_iam_member" "api_token" {
  secret_id = google_secret_manager_secret.api_token.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.api.member
}

resource "google_secret_manager_secret_iam_member" "prefect_auth" {
  for_each = {
    api     = google_service_account.api.member
    refresh = google_service_account.refresh.member
    worker  = google_service_account.worker.member
  }
  secret_id = google_secret_manager_secret.prefect_auth.id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}
