# Three accounts, each with what it needs and no more: the API writes raw, a refresh reads raw and fills the other
# datasets, both keep notes in _warehouse, the worker starts refreshes and touches no data.

resource "google_service_account" "api" {
  account_id   = "warehouse-api"
  display_name = "Warehouse API"
  depends_on   = [google_project_service.needed]
}

resource "google_service_account" "refresh" {
  account_id   = "warehouse-refresh"
  display_name = "Warehouse refresh: the jobs that build tables"
  depends_on   = [google_project_service.needed]
}

resource "google_service_account" "worker" {
  account_id   = "warehouse-worker"
  display_name = "Warehouse worker: starts the jobs"
  depends_on   = [google_project_service.needed]
}

resource "google_bigquery_dataset_iam_member" "api_raw" {
  dataset_id = google_bigquery_dataset.raw.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.api.member
}

resource "google_bigquery_dataset_iam_member" "refresh_raw" {
  dataset_id = google_bigquery_dataset.raw.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.refresh.member
}

resource "google_bigquery_dataset_iam_member" "refresh_built" {
  for_each   = google_bigquery_dataset.built
  dataset_id = each.value.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.refresh.member
}

resource "google_bigquery_dataset_iam_member" "own" {
  for_each = {
    api     = google_service_account.api.member
    refresh = google_service_account.refresh.member
  }
  dataset_id = google_bigquery_dataset.own.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = each.value
}

resource "google_bigquery_dataset_iam_member" "refresh_staged" {
  dataset_id = google_bigquery_dataset.staged.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.refresh.member
}

# Running queries is a role on the project; it gives no access to data.
resource "google_project_iam_member" "jobs" {
  for_each = {
    api     = google_service_account.api.member
    refresh = google_service_account.refresh.member
  }
  project    = var.project
  role       = "roles/bigquery.jobUser"
  member     = each.value
  depends_on = [google_project_service.needed]
}

# Publishing a table first asks whether the old one has row access policies, which would be lost.
resource "google_project_iam_custom_role" "row_policies" {
  role_id     = "seeRowPolicies"
  title       = "See row access policies"
  permissions = ["bigquery.rowAccessPolicies.get", "bigquery.rowAccessPolicies.list"]
  depends_on  = [google_project_service.needed]
}

resource "google_project_iam_member" "refresh_row_policies" {
  project    = var.project
  role       = google_project_iam_custom_role.row_policies.id
  member     = google_service_account.refresh.member
  depends_on = [google_project_service.needed]
}

# The worker creates, runs and deletes Cloud Run jobs that run as the account of the refresh.
resource "google_project_iam_member" "worker_jobs" {
  project    = var.project
  role       = "roles/run.developer"
  member     = google_service_account.worker.member
  depends_on = [google_project_service.needed]
}

# Who creates a job must be able to read its image: https://cloud.google.com/run/docs/deploying#permissions_required_to_deploy
resource "google_artifact_registry_repository_iam_member" "worker_images" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.worker.member
}

resource "google_service_account_iam_member" "worker_as_refresh" {
  service_account_id = google_service_account.refresh.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.worker.member
}
